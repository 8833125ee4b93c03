"""The manifest of a data set: which image shows whom, from which camera, in which subset."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from reidpipe.data.reading import SUBSETS, Record
from reidpipe.errors import UserError

COLUMNS = ("member", "pid", "camid", "subset", "label")


def rows(records: Iterable[Record]) -> list[tuple[str, int, int, str, int]]:
    """Manifest rows: train, query, gallery, then by member; labels 0..C-1 by train pid."""
    ordered = sorted(records, key=lambda row: (SUBSETS.index(row.subset), row.member))
    pids = sorted({row.pid for row in ordered if row.subset == "train"})
    labels = {pid: label for label, pid in enumerate(pids)}
    return [(*row, labels[row.pid] if row.subset == "train" else -1) for row in ordered]


def read(manifest: Path) -> pd.DataFrame:
    """Read a manifest: member (str), pid, camid, label (int64), subset (str).

    Raises:
        UserError: it is missing or is no manifest.
    """
    kinds = {"member": "str", "pid": "int64", "camid": "int64", "subset": "str", "label": "int64"}
    try:
        table = pd.read_csv(manifest, dtype=kinds, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(
            "a manifest is missing", where=manifest, fix="dvc repro (or dvc pull)"
        ) from None
    except ValueError as error:
        raise _not_a_manifest(manifest, error) from None
    if tuple(table.columns) != COLUMNS or not table["subset"].isin(SUBSETS).all():
        raise _not_a_manifest(manifest, ", ".join(table.columns))
    return table


def _not_a_manifest(path: Path, found: object) -> UserError:
    return UserError(
        "not a manifest that reidpipe wrote",
        where=path,
        expected=f"columns {', '.join(COLUMNS)}; subset one of {', '.join(SUBSETS)}",
        found=found,
        fix="delete it and run dvc repro",
    )
