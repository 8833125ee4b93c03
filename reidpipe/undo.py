"""`dvc exp run -S key=value` writes params.yaml before anything can judge the value.

When the value is refused, the file is put back, so that a typing error leaves the workspace as it
was. Only inside an experiment, and only if the refused values are all that differs from the
baseline's file: nothing that a user wrote is ever lost.
"""

import copy
import os
import subprocess
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reidpipe.files import write_bytes
from reidpipe.params.reading import PARAMS_FILE, parsed, yaml_path
from reidpipe.params.sections import Params


def take_back_rejected_values(path: Path = PARAMS_FILE) -> bool:
    """Restore `path` from the experiment's baseline where that loses nothing; whether it did."""
    revision = os.environ.get("DVC_EXP_BASELINE_REV")
    if not revision:
        return False
    shown = subprocess.run(
        ["git", "show", f"{revision}:./{path.as_posix()}"], capture_output=True, check=False
    )
    if shown.returncode != 0:
        return False
    baseline, current = parsed(shown.stdout), parsed(path.read_bytes())
    if _without_rejected(current, baseline) != baseline:
        return False
    write_bytes(path, shown.stdout)
    return True


def _without_rejected(current: Any, baseline: Any) -> Any:
    """`current` with the baseline's value (or nothing) wherever `Params` refuses what is there."""
    mended = copy.deepcopy(current)
    try:
        Params.model_validate(current)
    except ValidationError as error:
        for detail in error.errors():
            _put_back(mended, baseline, yaml_path(detail["loc"], current))
    return mended


def _put_back(mended: Any, baseline: Any, keys: list[str]) -> None:
    *parents, last = keys
    for key in parents:
        if not isinstance(mended, dict) or not isinstance(baseline, dict):
            return
        mended, baseline = mended.get(key), baseline.get(key)
    if isinstance(mended, dict) and isinstance(baseline, dict):
        if last in baseline:
            mended[last] = baseline[last]
        else:
            mended.pop(last, None)
