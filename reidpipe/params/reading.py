"""Read params.yaml and explain everything that is wrong with it in one message."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reidpipe.errors import UserError, nearest
from reidpipe.params.sections import Params, Section

PARAMS_FILE = Path("params.yaml")


def load(path: Path = PARAMS_FILE, *, profile: str | None = None) -> Params:
    """Read and check params.yaml, with `profile` in place of the file's where it is given.

    Raises:
        UserError: every wrong key and value at once, each with its path, what is allowed, what was
            found and the nearest known key.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            "there are no parameters", where=path, fix="run from the folder that holds params.yaml"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError("the parameters are not YAML", where=path, found=error) from None
    if profile is not None and isinstance(content, dict):
        content = {**content, "profile": profile}
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
    raise explained(details, content, path)


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
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if detail["type"] == "missing":
        return f"  {name}: missing"
    return f"  {name}: wrong value\n    allowed: {allowed}\n    found: {detail['input']!r}"


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
