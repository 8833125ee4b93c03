"""What survives a kill: the training state of one run, in `.resume/<hash of all that decides it>/`.

Two generations are kept, so that a state torn by a full disk or a power cut costs minutes, not the
run. A lock held by the operating system (it dies with its process) keeps a second writer out: when
DVC alone is killed, the training it started goes on as an orphan.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import weights as checkpoint

ROOT = Path(".resume")
# Saving may take this share of the time at most, and within an epoch happens this often.
_SHARE = 0.05
_SECONDS_WITHIN_EPOCH = 300.0


def key(config: Mapping[str, Any], inputs: list[Path]) -> str:
    """Hash of the configuration, which names the code, and of the bytes of the input files."""
    decides = {"config": config, "inputs": [digest(path) for path in inputs]}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


class State:
    """The saved state of one run; a context manager that holds the run's lock where it `writes`."""

    def __init__(self, name: str, *, writes: bool = True) -> None:
        self.writes = writes
        self.folder = ROOT / name
        self.current = self.folder / "state.safetensors"
        self.previous = self.folder / "previous.safetensors"
        self._saved_at = time.monotonic()
        self._cost = 0.0

    def __enter__(self) -> Self:
        if not self.writes:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            # Not flock, which the loader's workers would inherit and hold for seconds longer.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 32).decode()
            os.close(self._lock)
            raise UserError(
                "this run is being trained already",
                where=self.folder,
                found=f"process {holder} holds the lock",
                fix=f"wait for it, or stop it: kill {holder}",
            ) from None
        os.truncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.writes:
            os.close(self._lock)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The newest whole state, or None; a damaged one is named and passed over."""
        for path in (self.current, self.previous):
            if path.exists():
                try:
                    return checkpoint.load(path)
                except UserError as error:
                    print(f"passing over a damaged state: {error}", file=sys.stderr)  # noqa: T201
        return None

    def due(self, *, epoch_ends: bool) -> bool:
        """Whether saving now is worth its time."""
        if not self.writes:
            return False
        passed = time.monotonic() - self._saved_at
        return passed >= (self._cost / _SHARE if epoch_ends else _SECONDS_WITHIN_EPOCH)

    def save(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Keep this state, and the one before it."""
        if not self.writes:
            return
        start = time.monotonic()
        newest = self.folder / "newest.safetensors"
        checkpoint.save(newest, tensors, about)
        if self.current.exists():
            self.current.replace(self.previous)
        newest.replace(self.current)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - start

    def remove(self) -> None:
        """Forget the run once its outputs are written."""
        shutil.rmtree(self.folder)
