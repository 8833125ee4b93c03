"""What DVC knows, from a process of its own: it is no import of this package."""

import json
import subprocess
import sys
from typing import Any

from reidpipe.errors import UserError


def dvc(*arguments: str) -> str:
    """What a DVC command prints.

    Raises:
        UserError: the command failed; its own words are in the message.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise UserError(
            "DVC cannot say what the results are",
            where=f"dvc {' '.join(arguments)}",
            found=result.stderr.strip(),
            fix="run from the root of the repository; dvc status names what is wrong with dvc.yaml",
        )
    return result.stdout


def dvc_json(*arguments: str) -> Any:
    """The same, of a command that prints JSON; NaN is read as the number that it stands for."""
    return json.loads(dvc(*arguments) or "{}")
