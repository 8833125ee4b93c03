"""What the train stage noted of each epoch: `runs/RUN/history.csv`."""

import csv
from pathlib import Path

from reidpipe.errors import UserError

History = dict[str, list[float]]
COLUMNS = ("epoch", "lr", "loss", "accuracy")


def read_history(path: Path) -> History:
    """The COLUMNS of a history, a row per epoch.

    Raises:
        UserError: the file is missing or holds something else.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first, *others = csv.DictReader(file)
        return {name: [float(row[name]) for row in (first, *others)] for name in COLUMNS}
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            "a training history cannot be read",
            where=path,
            expected=f"columns {', '.join(COLUMNS)}, a row per epoch",
            found=f"{type(error).__name__}: {error}",
            fix="dvc repro train",
        ) from None
