"""Random streams are their keys' alone."""

import numpy as np

from reidpipe.runtime.streams import stream


def test_a_stream_is_equal_on_every_machine() -> None:
    assert stream(0, "pinned").integers(0, 1000, 4).tolist() == [221, 271, 895, 529]


def test_streams_differ_in_every_part_of_their_key() -> None:
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a/0"), (0, "a", 0, 0)]
    firsts = {int(stream(*key).integers(2**63)) for key in keys if key != (0, "a/0")}
    assert len(firsts) == len(keys) - 1


def test_draws_are_uniform() -> None:
    counts = np.bincount(stream(0, "uniform").integers(0, 10, 20_000), minlength=10)
    assert counts.min() > 1800
