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
    except (ValueError, OverflowError, OSError) as error:
        raise _not_a_manifest(manifest, error) from None
    if found := _unlike(table):
        raise _not_a_manifest(manifest, found)
    return table


def _unlike(table: pd.DataFrame) -> str:
    """What sets a table apart from one that `rows` makes."""
    if tuple(table.columns) != COLUMNS:
        return ", ".join(table.columns)
    if other := sorted(set(table["subset"]) - set(SUBSETS)):
        return f"subset {other[0][:40]!r}"
    labels = sorted(set(table["label"][table["subset"] == "train"]))
    if not labels or labels != list(range(len(labels))):
        return f"{len(labels)} labels in train, from {min(labels, default=None)} on"
    return ""


def _not_a_manifest(path: Path, found: object) -> UserError:
    return UserError(
        "not a manifest that reidpipe wrote",
        where=path,
        expected=f"columns {', '.join(COLUMNS)}; subset one of {', '.join(SUBSETS)}; "
        "labels of train from 0 on",
        found=found,
        fix="delete it and run dvc repro",
    )
