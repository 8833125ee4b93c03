"""params.yaml, typed and checked: everything that is wrong with it is said in one message.

The reader is DVC's own (YAML 1.2: `on` is a word, a key stands once), so that a stage never sees
another value than the one that DVC tracks.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from reidpipe.errors import UserError, nearest
from reidpipe.formats import yaml
from reidpipe.formats.settings.data import Source
from reidpipe.formats.settings.evaluation import EvaluateSection
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.formats.settings.training import WeightsSource
from reidpipe.runtime.settings import (
    OURS,
    SYSTEM_OPTIONS,
    Attention,
    Cluster,
    Keywords,
    Loading,
    NonNegativeFloat,
    NonNegativeInt,
    Section,
    Share,
    follows,
    keywords,
    systems,
)

PARAMS_FILE = Path("params.yaml")
Options = Mapping[str, Any]
"""Keyword arguments of a system's network or recipe."""
Profile = Literal["embedded", "paper"]

TOLERANCE = {"rank1": 1.0, "rank5": 1.0, "rank10": 1.0, "mAP": 0.5, "mINP": 0.5}

_NOT_MAPPINGS = {"model_type", "dict_type", "model_attributes_type"}
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200


class Report(Section):
    images: bool = True
    """Show photographs; false leaves them out everywhere."""


class Check(Section):
    """The regression gate, `reidpipe check`."""

    tolerance: Mapping[str, NonNegativeFloat] = Field(default=TOLERANCE)
    """Percentage points that a metric may lose; the others are not judged."""
    false_alarms: Share = 0.05
    """Share of changes that change nothing but chance, and may be called a regression."""


class ProfileParams(Section):
    """Everything that one profile says."""

    data: dict[str, Source]
    weights: dict[str, WeightsSource]
    """By role, what `data/weights/ROLE.safetensors` is; `random` is always there."""
    systems: Annotated[dict[str, dict[str, Any]], SYSTEM_OPTIONS] = Field(default_factory=dict)
    train: Annotated[dict[str, Any], Keywords("systems/ours.py", "recipe", Cluster)] = Field(
        default_factory=dict
    )
    cell: Annotated[dict[str, Any], Keywords("training/cell_search.py", "search")] = Field(
        default_factory=dict
    )
    pose: Annotated[dict[str, Any], Keywords("training/pose.py", "learnt")] = Field(
        default_factory=dict
    )
    extract: ExtractParams = ExtractParams()
    loading: Loading = Loading()
    evaluate: EvaluateSection = EvaluateSection()
    report: Report = Report()

    @model_validator(mode="before")
    @classmethod
    def _what_systems_share(cls, content: Any) -> Any:
        """What is not said: a ResNet is Ours', and what goes on where another ended is that one."""
        own = content.get("systems") if isinstance(content, dict) else None
        if not isinstance(own, dict) or not all(isinstance(part, dict) for part in own.values()):
            return content
        backbone = {key: own[OURS][key] for key in own.get(OURS, {}) if key == "backbone"}
        filled: dict[str, Any] = dict(own)
        for name in sorted(systems(), key=lambda name: bool(follows(name))):
            fields = keywords(f"systems/{name}.py", "Network").model_fields
            shared = {**backbone, **filled.get(follows(name), {})}
            known = {key: value for key, value in shared.items() if key in fields}
            if known:
                filled[name] = {**known, **own.get(name, {})}
        return {**content, "systems": filled}

    @property
    def machine(self) -> Cluster:
        """Where networks are trained."""
        return Cluster.model_validate({name: self.train[name] for name in Cluster.model_fields})

    def recipe(self, system: str) -> Options:
        """Keyword arguments of the recipe of `system`."""
        own = self.train if system == OURS else self.systems[system]
        return {name: own[name] for name in keywords(f"systems/{system}.py", "recipe").model_fields}

    def options(self, system: str) -> Options:
        """Keyword arguments of the network of `system`."""
        kind = keywords(f"systems/{system}.py", "Network")
        found = kind.model_validate(
            {name: self.systems[system][name] for name in kind.model_fields}
        )
        return found.model_dump(mode="json")

    def network(self, attention: str, classifier: str, *, triplet: bool) -> Options:
        """Keyword arguments of Ours' network; options of what it lacks are left out."""
        options = dict(self.systems[OURS])
        options["options"] = {attention: options["options"][attention]}
        if not triplet:
            del options["batch_hard"]
        if classifier == "linear":
            del options["circle"]
        return {"attention": attention, "classifier": classifier, "triplet": triplet, **options}


class Params(Section):
    """The whole of params.yaml."""

    profile: Profile
    attention: Attention
    classifier: Literal["linear", "circle", "unified"]
    triplet: bool
    seed: NonNegativeInt
    check: Check = Check()
    embedded: ProfileParams | None = None
    paper: ProfileParams | None = None

    @model_validator(mode="after")
    def _the_profile_is_there(self) -> Self:
        if getattr(self, self.profile) is None:
            raise ValueError(f"profile {self.profile}: there is no section of this name")
        return self

    @property
    def active(self) -> ProfileParams:
        """The section of the chosen profile."""
        found: ProfileParams = getattr(self, self.profile)
        return found

    def source(self, dataset: str) -> Source:
        """Where a data set comes from.

        Raises:
            UserError: the profile has no such data set.
        """
        known = self.active.data
        if dataset not in known:
            raise UserError(
                f"no data set {dataset!r} in the profile {self.profile}",
                where=f"{PARAMS_FILE}: {self.profile}.data",
                expected=", ".join(known),
                found=dataset,
                fix=nearest(dataset, known) or "add it there: docs/datasets.md",
            )
        return known[dataset]


def load(path: Path = PARAMS_FILE, *, profile: str | None = None) -> Params:
    """Read and check params.yaml, with `profile` in place of the file's where it is given.

    Raises:
        UserError: every wrong key and value at once, each with its path, what is allowed, what was
            found and the nearest known key.
    """
    content = read(path)
    if profile is not None:
        content["profile"] = profile
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = [_problem(detail, content) for detail in details]
    wrong = "parameter is" if len(problems) == 1 else "parameters are"
    fix = f"correct {path}, or take it back: git restore {path}"
    raise UserError(f"{len(problems)} {wrong} wrong\n" + "\n".join(problems), where=path, fix=fix)


def read(path: Path) -> dict[str, Any]:
    """What params.yaml says, unchecked.

    Raises:
        UserError: there is no such file, it is not YAML, or not a mapping.
    """
    content = yaml.read(path, "the parameters", fix="run from the folder that holds params.yaml")
    if not isinstance(content, dict):
        raise UserError(
            "the parameters are not a mapping",
            where=path,
            expected=", ".join(f"{name}: ..." for name in Params.model_fields),
            found="an empty file" if content is None else _SHORT.repr(content),
            fix=f"git restore {path}",
        )
    return content


def _problem(detail: ErrorDetails, content: object) -> str:
    """A block for one wrong key or value."""
    keys = _yaml_path(detail["loc"], content)
    name = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        known = sorted(_known_keys(keys[:-1]))
        hint = nearest(keys[-1], known)
        said = f"  {name}: unknown key\n    known: {', '.join(known)}"
        return f"{said}\n    {hint}" if hint else said
    if detail["type"] == "missing":
        return f"  {name}: missing"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if not keys:
        return f"  {allowed}"
    if detail["type"] in _NOT_MAPPINGS:
        allowed = "a section, of keys and values"
    found = _SHORT.repr(detail["input"])
    return f"  {name}: wrong value\n    allowed: {allowed}\n    found: {found}"


def _yaml_path(loc: tuple[int | str, ...], content: object) -> list[str]:
    """Keys as they stand in the file: without the tags that pydantic adds for unions."""
    keys: list[str] = []
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(content, Mapping) and (part in content or last):
            keys.append(str(part))
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            keys.append(str(part))
            content = content[part]
    return keys


def _known_keys(keys: list[str]) -> set[str]:
    """Names of every setting that may stand in the section at the path `keys`."""
    schema = Params.model_json_schema()
    found = [schema]
    for key in keys:
        found = [child for node in found for child in _children(node, schema["$defs"], key)]
    return {
        name
        for node in found
        for part in _parts(node, schema["$defs"])
        for name in part.get("properties", {})
    }


def _children(node: dict[str, Any], sections: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    for part in _parts(node, sections):
        own = part.get("properties", {}).get(key, part.get("additionalProperties"))
        if isinstance(own, dict):
            yield own


def _parts(node: dict[str, Any], sections: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node of a JSON schema, or those of a union, without references."""
    if "$ref" in node:
        node = sections[node["$ref"].rpartition("/")[2]]
    yield node
    for choice in node.get("anyOf", []) + node.get("oneOf", []):
        yield from _parts(choice, sections)
