"""plan.json: by stage and run, the values that decide a result, and a digest of the code."""

import argparse
import json
from pathlib import Path
from typing import Any

from reidpipe.errors import UserError, nearest

PLAN_FILE = Path("plan.json")


def written(path: Path = PLAN_FILE) -> dict[str, Any]:
    """The whole plan, as resolve last wrote it.

    Raises:
        UserError: there is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        fix = "python -m stages.resolve writes it again"
        raise UserError("the plan cannot be read", where=path, found=error, fix=fix) from None
    return found


def entry(stage: str, item: str = "", path: Path = PLAN_FILE) -> dict[str, Any]:
    """What the plan says of a stage, or of one `item` of it: a run, a data set, a role.

    Raises:
        UserError: there is no plan, or nothing in it about this.
    """
    found = written(path).get(stage, {})
    if item and item not in found:
        raise UserError(
            f"the plan has nothing about {item!r}",
            where=f"{path}: {stage}",
            expected=", ".join(found),
            fix=nearest(item, found) or "add it to runs.yaml, then python -m stages.resolve",
        )
    own: dict[str, Any] = found[item] if item else found
    return own


def asked(stage: str, description: str | None) -> tuple[str, dict[str, Any]]:
    """The item that the command line of a stage names, and what the plan says of it.

    Raises:
        UserError: as `entry`.
    """
    parser = argparse.ArgumentParser(prog=f"python -m stages.{stage}", description=description)
    parser.add_argument("item", help=f"one of those under {stage} in {PLAN_FILE}")
    item = parser.parse_args().item
    return item, entry(stage, item)
