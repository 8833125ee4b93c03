"""Read params.yaml and explain everything that is wrong with it in one message.

The reader is DVC's own (YAML 1.2: `on` is a word, a key stands once), so that a stage never sees
another value than the one that DVC tracks and puts into a command.
"""

from collections.abc import Mapping
from pathlib import Path
from reprlib import Repr
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reidpipe.errors import UserError, nearest
from reidpipe.params.sections import Params, Section

PARAMS_FILE = Path("params.yaml")

_NOT_MAPPINGS = {"model_type", "dict_type", "model_attributes_type"}
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 200


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
    raise explained(details, content, path)


def read(path: Path) -> dict[str, Any]:
    """What params.yaml says, unchecked.

    Raises:
        UserError: there is no such file, it is not YAML, or not a mapping.
    """
    try:
        content = parsed(path.read_bytes())
    except OSError as error:
        raise UserError(
            "there are no parameters",
            where=path,
            found=error.strerror,
            fix="run from the folder that holds params.yaml",
        ) from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise UserError("the parameters are not YAML", where=path, found=_said(error)) from None
    if not isinstance(content, dict):
        raise UserError(
            "the parameters are not a mapping",
            where=path,
            expected=", ".join(f"{name}: ..." for name in Params.model_fields),
            found="an empty file" if content is None else _SHORT.repr(content),
            fix=f"git restore {path}",
        )
    return content


def parsed(text: bytes) -> Any:
    """The content of YAML 1.2, of plain values alone; a key that stands twice is an error."""
    return YAML(typ="safe").load(text)


def _said(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error)


def explained(details: list[ErrorDetails], content: object, path: Path) -> UserError:
    """One error for all of pydantic's: a block a wrong key or value."""
    problems = [_problem(detail, content) for detail in details]
    wrong = "parameter is" if len(problems) == 1 else "parameters are"
    fix = f"correct {path}, or name another value with -S path=value"
    return UserError(f"{len(problems)} {wrong} wrong\n" + "\n".join(problems), where=path, fix=fix)


def _problem(detail: ErrorDetails, content: object) -> str:
    keys = yaml_path(detail["loc"], content)
    name = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        known = sorted(_known_keys(keys[:-1]))
        hint = nearest(keys[-1], known)
        return f"  {name}: unknown key\n    known: {', '.join(known)}" + (
            f"\n    {hint}" if hint else ""
        )
    if detail["type"] == "missing":
        return f"  {name}: missing"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] in _NOT_MAPPINGS:
        allowed = "a section, of keys and values"
    found = _SHORT.repr(detail["input"])
    return f"  {name}: wrong value\n    allowed: {allowed}\n    found: {found}"


def yaml_path(loc: tuple[int | str, ...], content: object) -> list[str]:
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
    """Field names of every section that may stand at the path `keys`."""
    types: list[Any] = [Params]
    for key in keys:
        types = [child for kind in types for child in _children(kind, key)]
    sections = [kind for kind in types if isinstance(kind, type) and issubclass(kind, Section)]
    return {field.alias or name for kind in sections for name, field in kind.model_fields.items()}


def _children(kind: Any, key: str) -> list[Any]:
    if get_origin(kind) is dict:
        return _flat(get_args(kind)[1])
    if isinstance(kind, type) and issubclass(kind, Section):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        return _flat(fields[key].annotation) if key in fields else []
    return []


def _flat(annotation: Any) -> list[Any]:
    """The types in a union or an Annotated; a mapping stays whole."""
    if get_origin(annotation) is dict:
        return [annotation]
    arguments = get_args(annotation)
    return [inner for part in arguments for inner in _flat(part)] if arguments else [annotation]
