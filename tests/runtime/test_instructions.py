"""Instructions hold, or the process says that they do not."""

import os

import pytest
import torch

from reidpipe.errors import UserError
from reidpipe.runtime import machine
from tests.fresh import python

OLDER = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
COMPUTE = "import torch; (torch.ones(3) * 2).sum()\n"
PREPARE = (
    "from reidpipe.runtime import machine\n"
    "from reidpipe.errors import reported\n"
    "with reported():\n"
    "    {}\n"
    "import torch; print(torch.backends.cpu.get_cpu_capability())\n"
)
AVX2 = PREPARE.format("machine.prepare('cpu', 1, 'avx2')")

has_avx2 = pytest.mark.skipif(
    not torch.cpu._is_avx2_supported(), reason="this CPU has other instructions"
)


@has_avx2
def test_what_was_asked_for_holds_whatever_the_environment_says() -> None:
    done = python("-c", AVX2, variables=OLDER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "AVX2\n", "")


@has_avx2
def test_a_process_that_computed_before_is_refused() -> None:
    done = python("-c", COMPUTE + AVX2, variables=OLDER)
    assert done.returncode == 2
    assert "set too late" in done.stderr
    assert "found:    DEFAULT, which torch took when" in done.stderr
    assert "export ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2" in done.stderr


@has_avx2
def test_a_process_that_computed_with_what_is_asked_for_goes_on() -> None:
    done = python("-c", COMPUTE + AVX2, variables=machine.AVX2)
    assert (done.returncode, done.stdout) == (0, "AVX2\n")


@has_avx2
def test_a_second_call_with_other_instructions_is_refused_once_torch_has_computed() -> None:
    both = "machine.prepare('cpu', 1, 'native'); {}machine.prepare('cpu', 1, 'avx2')"
    idle = python("-c", PREPARE.format(both.format("")), variables=OLDER)
    assert (idle.returncode, idle.stdout) == (0, "AVX2\n")
    busy = both.format("import torch; (torch.ones(3) * 2).sum(); ")
    done = python("-c", PREPARE.format(busy), variables=OLDER)
    assert done.returncode == 2
    assert "set too late" in done.stderr


@has_avx2
def test_native_takes_what_is_there() -> None:
    native = PREPARE.format("machine.prepare('cpu', 1, 'avx2'); machine.prepare('cpu', 1)")
    assert python("-c", native, variables=OLDER).stdout == "AVX2\n"
    native = PREPARE.format("machine.prepare('cpu', 1)")
    assert python("-c", native, variables=OLDER).stdout == "DEFAULT\n"


def test_a_cpu_without_them_is_told_of_once_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or torch would believe the variable and end with an illegal instruction."""
    machine._warn_of_other_bytes.cache_clear()
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: False)
    for name in machine.AVX2:
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        machine.pin("avx2")
    told = capsys.readouterr().err
    assert told.startswith("warning: this CPU has no AVX2")
    assert told.count("\n") == 1
    assert not any(name in os.environ for name in machine.AVX2)


def test_an_error_of_the_doctor_has_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: True)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    with pytest.raises(UserError, match="too late") as caught:
        machine.pin("avx2")
    assert caught.value.details.keys() == {"where", "expected", "found", "fix"}


CHILDREN = """
import multiprocessing as mp
import torch
from reidpipe.runtime import machine
machine.prepare("cpu", 1, "avx2")
for method in ("fork", "spawn", "forkserver"):
    with mp.get_context(method).Pool(1) as pool:
        print(method, pool.apply(torch.backends.cpu.get_cpu_capability))
"""


@has_avx2
def test_processes_that_it_starts_have_them_too() -> None:
    """As a loader's workers are started, by any way that Python has; ranks prepare themselves."""
    done = python("-c", CHILDREN, variables=OLDER)
    assert done.stdout == "fork AVX2\nspawn AVX2\nforkserver AVX2\n", done.stderr


CONVOLUTION = (
    "from reidpipe.runtime import machine\n"
    "from reidpipe.images import transforms\n"
    "machine.prepare('cpu', 1, 'avx2')\n"
    "import torch\n"
    "torch.nn.Conv2d(8, 8, 3)(torch.ones(2, 8, 9, 9).contiguous(memory_format=torch.channels_last))"
)


@has_avx2
@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
    reason="torch without oneDNN",
)
def test_onednn_obeys_as_well() -> None:
    """It reads a variable of its own, when its first kernel is made."""
    done = python("-c", CONVOLUTION, variables={"ONEDNN_VERBOSE": "1", **OLDER})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    (isa,) = (line for line in lines if ",cpu,isa:" in line)
    assert isa.endswith("isa:Intel AVX2")
    kernels = [line for line in lines if ",exec,cpu,convolution," in line]
    assert kernels
    assert all("avx2" in line for line in kernels), kernels
    assert not any("avx512" in line for line in lines)
