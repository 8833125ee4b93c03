"""Dropout: its masks follow from the key alone, and several ranks share one batch's."""

import pytest
import torch

from reidpipe.layers.dropout import Dropout, draw_from
from reidpipe.runtime import ranks
from tests.systems.small import network


def drawn(p: float, *key: int | str, rows: int = 8) -> torch.Tensor:
    layer = Dropout(p).train()
    draw_from(layer, *key)
    found: torch.Tensor = layer(torch.ones(rows, 1000))
    return found


def test_a_share_is_zero_and_the_rest_is_scaled() -> None:
    found = drawn(0.25, 0)
    assert 0.23 < (found == 0).float().mean() < 0.27
    assert sorted(set(found.flatten().tolist())) == pytest.approx([0, 1 / 0.75])
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_the_key_decides() -> None:
    torch.rand(3)
    assert torch.equal(drawn(0.5, 1, 2, 3), drawn(0.5, 1, 2, 3))
    for other in ((1, 2, 4), (1, 3, 3), (2, 2, 3)):
        assert not torch.equal(drawn(0.5, *other), drawn(0.5, 1, 2, 3))


def test_layers_of_one_network_draw_apart() -> None:
    layers = torch.nn.Sequential(Dropout(0.5), Dropout(0.5)).train()
    draw_from(layers, 0)
    x = torch.ones(4, 100)
    assert not torch.equal(layers[0](x), layers[1](x))


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_nothing_is_dropped_in_evaluation_or_with_p_of_0(p: float) -> None:
    x = torch.randn(3, 4)
    assert torch.equal(Dropout(p).eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)


def test_without_a_stream_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="draw_from"):
        Dropout(0.5).train()(torch.ones(2))


def test_ranks_share_the_mask_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(0.5, 7)
    monkeypatch.setattr(ranks, "world", lambda: 4)
    parts = []
    for rank in range(4):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        parts.append(drawn(0.5, 7, rows=2))
    assert torch.equal(torch.cat(parts), whole)


def test_pcb_and_svdnet_drop() -> None:
    assert [
        module.p
        for system in ("pcb", "svdnet")
        for module in network(system).modules()
        if isinstance(module, Dropout)
    ] == [0.5, 0.5]
