"""`reports/foreign/NAME`: what features from elsewhere scored, in git as the metrics of runs are.

about.json                             what was judged, and how
metrics.json  cmc.csv  queries.csv     as the evaluate stage writes them
ranking.npz                            so, too; large, and therefore not in git
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reidpipe.errors import UserError, nearest
from reidpipe.files import write_json
from reidpipe.runtime.settings import Metric, Section

FOLDER = Path("reports/foreign")
PREFIX = "foreign/"
"""Before the name of one where a run could stand as well; no run has a slash in its name."""
ABOUT, METRICS, QUERIES = "about.json", "metrics.json", "queries.csv"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,99}", re.IGNORECASE | re.ASCII)


class About(Section):
    """What the scores of a result are of."""

    dataset: str | None
    """Whose images were named; None where the features had labels of their own."""
    split: str
    """MD5 of the split, as dvc.lock has it, or of the labels: who was looked for, among whom."""
    metric: Metric
    rerank: dict[str, Any] | None
    files: dict[str, str]
    """SHA-256 of what was read, by its name."""

    def __str__(self) -> str:
        return f"{self.dataset or 'labels of its own'}, {self.split[:8]}"


def checked_name(name: str) -> str:
    """`name`, where it can be one.

    Raises:
        UserError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be a name",
            expected="letters, digits, - and _, of which the first is a letter",
            fix="--name NAME",
        )
    return name


def known(root: Path = Path()) -> list[str]:
    """Names of the results under the repository `root`, in order."""
    return sorted(path.parent.name for path in (root / FOLDER).glob(f"[!.]*/{ABOUT}"))


def known_result(name: str, names: list[str]) -> str:
    """`name`, where it is one of `names`.

    Raises:
        UserError: it is none.
    """
    if name not in names:
        raise UserError(
            f"there are no foreign features {name!r}",
            where=FOLDER,
            expected=", ".join(names) or "NAME, which reidpipe evaluate writes",
            fix=nearest(name, names),
        )
    return name


def write_about(path: Path, about: About) -> None:
    write_json(path, about.model_dump(mode="json"))


def parse_about(content: bytes, where: object) -> About:
    """What `write_about` wrote.

    Raises:
        UserError: it is something else.
    """
    try:
        return About.model_validate_json(content)
    except ValidationError as error:
        raise _not_ours(where, error) from None


def read_metrics(path: Path) -> Mapping[str, float]:
    """Percent and counts, by name.

    Raises:
        UserError: it is missing, or something else.
    """
    try:
        return TypeAdapter(dict[str, float]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _not_ours(path, error) from None


def _not_ours(where: object, error: Exception) -> UserError:
    return UserError(
        "not a result that reidpipe wrote",
        where=where,
        found=error,
        fix="reidpipe evaluate FEATURES --name NAME writes it again, or delete its folder",
    )
