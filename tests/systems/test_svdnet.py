"""SVDNet: the decorrelation against loops, and what each phase leaves alone."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from reidpipe.errors import UserError
from reidpipe.systems import svdnet
from reidpipe.systems.svdnet import Network, decorrelated, orthogonality
from reidpipe.training.phases import ready
from tests.systems.small import images, network, recipe

Floats = NDArray[np.float64]


def weights(rows: int = 24, columns: int = 10, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=random, dtype=torch.float64)


def by_loops(weight: Floats) -> Floats:
    """Change_resnet_W of the authors, column by column."""
    left, singular, _ = np.linalg.svd(weight, full_matrices=False)
    new = left * singular
    taken: set[int] = set()
    found: Floats = np.empty_like(new)
    for old in range(weight.shape[1]):
        best, best_cosine = -1, 0.0
        for candidate in range(new.shape[1]):
            if candidate in taken:
                continue
            lengths = np.linalg.norm(new[:, candidate]) * np.linalg.norm(weight[:, old])
            cosine = new[:, candidate] @ weight[:, old] / lengths
            if abs(cosine) > abs(best_cosine):
                best, best_cosine = candidate, cosine
        taken.add(best)
        found[:, old] = new[:, best] * np.sign(best_cosine)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_decorrelation_equals_the_loops(seed: int) -> None:
    found = decorrelated(weights(seed=seed))
    np.testing.assert_allclose(found.numpy(), by_loops(weights(seed=seed).numpy()), atol=1e-12)


def test_distances_stay_and_columns_are_orthogonal() -> None:
    before = weights()
    after = decorrelated(before)
    points = torch.randn(9, 24, dtype=torch.float64)
    torch.testing.assert_close(
        torch.cdist(points @ after, points @ after),
        torch.cdist(points @ before, points @ before),
        rtol=0,
        atol=1e-12,
    )
    assert orthogonality(after) == pytest.approx(1, abs=1e-12)
    assert orthogonality(before) < 0.5


def test_it_permutes_columns_of_us_and_is_idempotent() -> None:
    after = decorrelated(weights())
    lengths = after.norm(dim=0).sort(descending=True).values
    torch.testing.assert_close(lengths, torch.linalg.svdvals(weights()))
    torch.testing.assert_close(decorrelated(after), after, rtol=0, atol=1e-12)


def test_orthogonal_columns_are_left_alone_whatever_their_sign_and_order() -> None:
    basis = torch.linalg.qr(weights()).Q * torch.arange(10, 0, -1)
    for columns in (basis, -basis, basis[:, torch.arange(9, -1, -1)]):
        torch.testing.assert_close(decorrelated(columns), columns, rtol=0, atol=1e-12)


def test_equal_columns_are_the_least_orthogonal() -> None:
    assert orthogonality(weights(columns=1).expand(24, 10)) == pytest.approx(0.1)


def test_a_column_of_zeros_takes_no_others_place() -> None:
    before = weights()
    before[:, 0] = 0
    after = decorrelated(before)
    lengths = after.norm(dim=0).sort(descending=True).values
    torch.testing.assert_close(lengths, torch.linalg.svdvals(before), rtol=0, atol=1e-12)


def test_more_columns_than_rows_are_refused() -> None:
    with pytest.raises(UserError, match="cannot be orthogonal"):
        network("svdnet", eigen=1024)


def test_the_phases_are_a_base_and_seven_times_two() -> None:
    phases = svdnet.recipe().phases
    assert [phase.name for phase in phases] == ["base", *["restraint", "relaxation"] * 7]
    assert [phase.lr for phase in phases] == pytest.approx([1e-3] * 7 + [1e-4] * 8)
    assert svdnet.recipe().epochs == 31 + 14 * 10
    assert {phase.optimiser for phase in phases} == {"sgd"}


def test_each_phase_leaves_alone_what_it_should() -> None:
    model = network("svdnet")
    assert isinstance(model, Network)
    learnable = {name for name, _ in model.named_parameters()}
    base, restraint, relaxation, *_ = recipe("svdnet").phases

    def learns(phase: object) -> set[str]:
        ready(model, phase, learnable)  # type: ignore[arg-type]
        return {name for name, weight in model.named_parameters() if weight.requires_grad}

    norms = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        for part in ("weight", "bias")
    }
    early = {name for name in learnable if name.startswith(("backbone.conv1", "backbone.layer1"))}
    assert learns(base) == learnable
    assert learns(restraint) == learnable - {"eigenlayer.weight"}
    assert learns(relaxation) == learnable - norms - early
    assert learns(recipe("svdnet", relax="all").phases[2]) == learnable
    bias = next(
        group for group in ready(model, base, learnable).param_groups if group["factor"] == 2
    )
    assert bias["params"] == [model.head.bias]
    assert bias["weight_decay"] == 0


def test_statistics_of_batch_norms_stay_in_training() -> None:
    model = network("svdnet").train()
    before = {k: v.clone() for k, v in model.state_dict().items() if "running" in k}
    model.get_submodule("dropout").key = ("any",)  # type: ignore[assignment]
    model(images("svdnet"))
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)


def test_a_restraint_begins_with_the_decorrelation_and_no_other_phase_does() -> None:
    model = network("svdnet")
    before = model.watched()["orthogonality"]
    for name in ("base", "relaxation"):
        model.begin(name)
        assert model.watched()["orthogonality"] == before
    model.eval()
    with torch.no_grad():
        old = torch.cdist(model.embed(images("svdnet")), model.embed(images("svdnet")))
        model.begin("restraint")
        new = torch.cdist(model.embed(images("svdnet")), model.embed(images("svdnet")))
    assert model.watched()["orthogonality"] == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-4)
