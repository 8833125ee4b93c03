"""One line of the doctor's report."""

from dataclasses import dataclass

from reidpipe.errors import UserError


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is as it must be, what was found, what to do about it."""

    item: str
    fine: bool
    found: str
    fix: str = ""


def from_error(item: str, error: UserError) -> Finding:
    """The error of a stage, foreseen."""
    where = error.details.get("where", "")
    return Finding(item, fine=False, found=f"{error.what}: {where}", fix=error.details["fix"])
