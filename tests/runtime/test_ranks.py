"""What a rank alone can show; two of them: tests/training/test_several_ranks.py."""

import pytest
import torch
from torch import nn

from reidpipe.errors import UserError
from reidpipe.runtime import ranks

CPU = torch.device("cpu")


def test_a_single_process_has_all_and_changes_nothing() -> None:
    tensor, model = torch.randn(4, 3), nn.BatchNorm1d(3)
    assert (ranks.rank(), ranks.world()) == (0, 1)
    assert ranks.share(7) == slice(0, 7)
    assert ranks.together(tensor) is tensor
    assert ranks.add_up(tensor) is tensor
    assert ranks.synchronised(model, CPU) is model
    assert ranks.anywhere(flag=True, device=CPU)
    assert not ranks.anywhere(flag=False, device=CPU)
    assert ranks.launch(CPU, devices=1, nodes=1) is CPU
    ranks.meet(CPU)


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"(?s)too few GPUs.*at most 1,.*found: +8"):
        ranks.launch(torch.device("cuda"), devices=8, nodes=1)


def test_machines_that_nothing_has_started_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ranks.STARTED_BY:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=r"(?s)2 machines.*SLURM_NTASKS.*srun or torchrun"):
        ranks.launch(CPU, devices=1, nodes=2)


def test_shares_in_rank_order_are_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "world", lambda: 4)
    rows: list[int] = []
    for number in range(4):
        monkeypatch.setattr(ranks, "rank", lambda number=number: number)
        rows += range(12)[ranks.share(12)]
    assert rows == list(range(12))
    with pytest.raises(UserError, match="does not divide"):
        ranks.share(13)


def test_batch_norm_that_would_see_a_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "world", lambda: 2)
    with pytest.raises(UserError, match="batch norm"):
        ranks.synchronised(nn.BatchNorm1d(3), CPU)
