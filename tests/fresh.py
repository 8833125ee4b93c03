"""Processes that know nothing of the instructions that the tests' own process was set to."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from reidpipe.runtime.machine import AVX2

ROOT = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """Variables of this process, those of the instructions left out."""
    left_out = AVX2.keys() | {"CHECK_AGAINST"}  # of the CI run that this is part of
    own = {name: value for name, value in os.environ.items() if name not in left_out}
    # Ray lets its workers step back behind all others, and tests beside them would hold them up.
    return {**own, "RAY_worker_niceness": "0", **more}


def alike(**more: str) -> dict[str, str]:
    """Variables with which a process computes as this one does: with MKL's own products."""
    return {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | more


def python(
    *arguments: str, variables: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.CompletedProcess[str]":
    """What a fresh Python says that has `arguments` and some more environment variables."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT), **variables),
        capture_output=True,
        text=True,
        check=False,
    )
