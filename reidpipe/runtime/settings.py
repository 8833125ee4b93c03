"""What a setting may be, and the settings of the machine; each stage's own stand in its room.

The keyword arguments of a function or class that have a default are settings too: `Keywords` makes
a section of them, so that an option has one home.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    create_model,
)
from pydantic_core import CoreSchema, core_schema

from reidpipe.errors import nearest

PACKAGE = Path(__file__).parents[1]
OURS = "ours"
"""The system of a run that names none."""

Precision = Literal["fp32", "bf16", "fp16"]
Metric = Literal["cosine", "euclidean"]
# YAML knows numbers from words and from true: `Section` is strict, so that nothing is guessed.
PositiveInt = Annotated[int, Field(gt=0)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
BatchSize = Annotated[int, Field(ge=2)]
Channels = Annotated[int, Field(ge=2)]
Dropped = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Size = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
"""Height, width in pixels; YAML and JSON have lists."""
People = Annotated[int, Field(gt=0, le=100_000)]
Cameras = Annotated[int, Field(ge=2, le=15)]
"""Synthetic ones."""
Milestones = Annotated[tuple[PositiveInt, ...], Field(strict=False)]
"""Epochs."""
Depths = Annotated[tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]
"""Blocks of each of four stages."""


class Section(BaseModel):
    """Part of params.yaml: no unknown keys, no changes after reading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, strict=True, validate_default=True
    )


class Machine(Section):
    """Where a stage computes."""

    device: str = "auto"
    threads: PositiveInt | None = None
    instructions: Literal["native", "avx2"] = "native"
    """Of the CPU: avx2 gives the same numbers on any that has it, a fifth slower."""


class Cluster(Machine):
    """Where a stage runs a network over images."""

    precision: Precision = "fp32"
    devices: PositiveInt = 1
    """GPUs per machine; each batch of training, and all batches of extraction, are shared out."""
    nodes: PositiveInt = 1
    """Machines."""


class Loading(Section):
    """How training and extraction read images. No result depends on it, so DVC does not ask."""

    workers: NonNegativeInt = 0
    """Processes per device that read and augment; 0: the one that trains does."""
    cache_mb: NonNegativeInt = 4096
    """Decoded training images are kept in memory, per device, when they fit this budget."""


@dataclass(frozen=True)
class Keywords:
    """Annotates a dict: the options of `name`, a function or class of reidpipe/`file`.

    With those of `base` before them, where they stand in one section with others.
    """

    file: str
    name: str
    base: type[Section] = Section

    def __get_pydantic_core_schema__(self, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda section: section.model_dump(),
            handler.generate_schema(keywords(self.file, self.name, self.base)),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


@cache
def keywords(file: str, name: str, base: type[Section] = Section) -> type[Section]:
    """The keyword-only arguments of `name` in reidpipe/`file` that have a default, as a section.

    It has the fields of `base` too. The text is read and not run: most of these files import torch,
    which takes seconds.
    """
    arguments = _signature(ast.parse((PACKAGE / file).read_text(encoding="utf-8")), name)
    fields: dict[str, Any] = {
        argument.arg: (
            ast.unparse(argument.annotation) if argument.annotation else Any,
            ast.literal_eval(default),
        )
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default
    }
    title = f"{Path(file).stem}.{name}"
    return create_model(title, __base__=base, __module__=__name__, **fields)


def _signature(tree: ast.AST, name: str) -> ast.arguments:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node.args
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _signature(node, "__init__")
    raise LookupError(name)


def metric(system: str) -> Metric:
    """What descriptors of a system are compared by."""
    found: Metric = _declared(system, "metric", "cosine")
    return found


def follows(system: str) -> str:
    """The system from whose finished run this one starts; empty where it starts from a trunk."""
    return str(_declared(system, "follows", ""))


def _declared(system: str, name: str, default: Any) -> Any:
    """What the class `Network` of a system writes out for `name`."""
    tree = ast.parse((PACKAGE / f"systems/{system}.py").read_text(encoding="utf-8"))
    lines = next(
        node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Network"
    )
    for line in lines:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name:
            return ast.literal_eval(line.value)
    return default


def literal_keys(file: str, name: str) -> list[str]:
    """Keys of the dict `name` that reidpipe/`file` writes out, in order."""
    for node in ast.parse((PACKAGE / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            keys = getattr(node.value, "keys", [])
            return [ast.literal_eval(key) for key in keys]
    raise LookupError(name)


def chosen(value: str, known: list[str]) -> str:
    """`value`, or a ValueError that names the `known` ones and the nearest."""
    if value not in known:
        hint = nearest(value, known)
        raise ValueError(f"one of {', '.join(known)}" + (f" ({hint})" if hint else ""))
    return value


def attentions() -> list[str]:
    """Values of `attention`: the file names of reidpipe/attention."""
    found = (PACKAGE / "attention").glob("*.py")
    return sorted(path.stem for path in found if path.stem != "__init__")


def systems() -> list[str]:
    """Values of `system`: the file names of reidpipe/systems that are papers."""
    found = (PACKAGE / "systems").glob("*.py")
    return sorted(path.stem for path in found if path.stem not in {"__init__", "trained"})


Attention = Annotated[str, AfterValidator(lambda value: chosen(value, attentions()))]
SystemName = Annotated[str, AfterValidator(lambda value: chosen(value, systems()))]
Backbone = Annotated[
    str, AfterValidator(lambda value: chosen(value, literal_keys("layers/resnet.py", "SHAPES")))
]
Layout = Annotated[
    str, AfterValidator(lambda value: chosen(value, literal_keys("datasets/layouts.py", "LAYOUTS")))
]


@dataclass(frozen=True)
class Sections:
    """Annotates a dict of options by name: those of each of `names`, of the type `kind` says."""

    names: Callable[[], list[str]]
    kind: Callable[[str], Any]

    def __get_pydantic_core_schema__(self, _: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields: Mapping[str, Any] = {name: (self.kind(name), {}) for name in self.names()}
        section = create_model("Sections", __base__=Section, **fields)
        return core_schema.no_info_after_validator_function(
            lambda found: found.model_dump(),
            handler.generate_schema(section),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )


def _attention_options(name: str) -> Any:
    return Annotated[dict[str, Any], Keywords(f"attention/{name}.py", "Attention")]


def _system_options(name: str) -> Any:
    """Those of its network and, but for Ours, which `train` is the recipe of, of its recipe."""
    file = f"systems/{name}.py"
    base = Section if name == OURS else keywords(file, "recipe")
    return Annotated[dict[str, Any], Keywords(file, "Network", base)]


ATTENTION_OPTIONS = Sections(attentions, _attention_options)
SYSTEM_OPTIONS = Sections(systems, _system_options)
