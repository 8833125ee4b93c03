"""Random streams are their keys' alone; devices that are not there are named."""

import numpy as np
import pytest
import torch

from reidpipe.errors import UserError
from reidpipe.runtime import prepare, stream, torch_stream


def test_a_stream_is_equal_on_every_machine() -> None:
    assert stream(0, "pinned").integers(0, 1000, 4).tolist() == [221, 271, 895, 529]


def test_streams_differ_in_every_part_of_their_key() -> None:
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a/0"), (0, "a", 0, 0)]
    firsts = {int(stream(*key).integers(2**63)) for key in keys if key != (0, "a/0")}
    assert len(firsts) == len(keys) - 1


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


def test_draws_are_uniform() -> None:
    counts = np.bincount(stream(0, "uniform").integers(0, 10, 20_000), minlength=10)
    assert counts.min() > 1800
