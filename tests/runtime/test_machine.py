"""Devices that are not there are named; no global stream is touched; memory is kept."""

import platform
import subprocess
import sys

import pytest
import torch

from reidpipe.errors import UserError
from reidpipe.layers.initial import torch_stream
from reidpipe.runtime.machine import prepare


def test_global_streams_are_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = torch.randn(3, generator=torch_stream(5, "weights"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(torch.randn(3, generator=torch_stream(5, "weights")), first)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps:1", ""])
def test_a_device_that_is_not_there_is_named_with_those_that_are(name: str) -> None:
    with pytest.raises(UserError, match="no such device") as caught:
        prepare(name, None)
    assert "cpu" in str(caught.value)


def test_threads_are_set_and_kernels_deterministic() -> None:
    before = torch.get_num_threads()
    try:
        assert prepare("cpu", 1) == torch.device("cpu")
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone has mallopt")
def test_freed_memory_is_used_again() -> None:
    """Five large arrays one after the other take the pages of the first."""
    code = (
        "import resource\n"
        "import numpy as np\n"
        "from reidpipe.runtime import machine\n"
        "{call}\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "make = lambda: np.ones(1 << 23)\n"
        "make(); before = faults()\n"
        "for _ in range(5): make()\n"
        "print(faults() - before)\n"
    )
    anew, again = (
        int(subprocess.check_output([sys.executable, "-c", code.format(call=call)]))
        for call in ("", "machine.keep_freed_memory()")
    )
    assert again < anew / 10
