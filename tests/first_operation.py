"""Where torch first computes, which is when the instructions that it uses are fixed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from reidpipe.runtime.machine import AVX2

SET, NOT_SET = "avx2 was set", "avx2 was not set"


class _Stops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, found: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        variables = {name: os.environ.get(name) for name in AVX2}
        self.found.append(SET if variables == AVX2 else NOT_SET)
        raise RuntimeError(f"stopped before {func}")


@contextmanager
def first_operation(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Stop what runs within at its first operation; a list of whether avx2 was set, or of nothing.

    It is looked at within a process that computed long before: the order is a matter of the code.
    """
    for name in AVX2:
        monkeypatch.delenv(name, raising=False)
    found: list[str] = []
    try:
        with _Stops(found):
            yield found
    except Exception:  # torch, safetensors make their own of ours
        if not found:
            raise
