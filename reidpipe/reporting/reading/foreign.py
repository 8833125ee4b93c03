"""What features from elsewhere scored: the results in reports/foreign."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reidpipe.formats import queries as queries_file
from reidpipe.formats.foreign import results
from reidpipe.formats.foreign.results import ABOUT, FOLDER, METRICS, PREFIX, QUERIES, About
from reidpipe.reporting.reading.results import Scores


@dataclass(frozen=True)
class Foreign:
    """One result."""

    about: About
    current: bool
    """Whether it is of the split that the runs have now, or of labels of its own."""
    scores: Scores | None
    """None where nothing was ranked, on a data set of one camera."""


def load_foreign(root: Path, split: Callable[[str], str | None]) -> dict[str, Foreign]:
    """The results of the repository `root` by `foreign/NAME`.

    `split` gives the MD5 of a data set's split, or None where there is none.

    Raises:
        UserError: a file cannot be read.
    """
    return {
        f"{PREFIX}{name}": _foreign(root / FOLDER / name, split) for name in results.known(root)
    }


def _foreign(folder: Path, split: Callable[[str], str | None]) -> Foreign:
    about = results.parse_about((folder / ABOUT).read_bytes(), folder / ABOUT)
    current = about.dataset is None or split(about.dataset) == about.split
    metrics, table = results.read_metrics(folder / METRICS), folder / QUERIES
    if "mAP" not in metrics:
        return Foreign(about, current, None)
    queries = queries_file.parse(table.read_bytes(), table)
    scores = Scores(metrics, queries, by_seed={}, endings={}, other_seeds=False)
    return Foreign(about, current, scores)
