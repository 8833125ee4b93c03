"""YAML 1.2 as DVC reads it, by ruamel.yaml: plain values alone, a key stands once."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reidpipe.errors import UserError


def read(path: Path, what: str, *, fix: str = "") -> Any:
    """Content of a file.

    Raises:
        UserError: it is missing or is not YAML; the message calls it `what`, in the plural.
    """
    try:
        return parsed(path.read_bytes(), path, what)
    except OSError as error:
        fix = fix or f"git restore {path}"
        raise UserError(f"{what} are missing", where=path, found=error.strerror, fix=fix) from None


def parsed(text: bytes, where: object, what: str, *, kind: str = "safe") -> Any:
    """Content of YAML.

    Raises:
        UserError: it is none.
    """
    try:
        return YAML(typ=kind).load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{what} are not YAML", where=where, found=_said(error)) from None


def strings(text: bytes, where: object, what: str) -> Any:
    """The same with every scalar as the string that is written: 84.00 keeps its digits."""
    return parsed(text, where, what, kind="base")


def _said(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error)
