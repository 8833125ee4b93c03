"""The manifest of a data set: which image shows whom, from which camera, in which subset."""

from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from reidpipe.errors import UserError

Subset = Literal["train", "query", "gallery"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)
COLUMNS = ("member", "pid", "camid", "subset", "label")


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
