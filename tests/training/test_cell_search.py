"""The search for a cell: halves, the discrete network as a special case, a death between epochs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reidpipe.formats import cells
from reidpipe.formats.cells import KINDS, OPERATIONS
from reidpipe.layers.cells import Cell
from reidpipe.layers.initial import initialise
from reidpipe.systems.autoreid import PUBLISHED
from reidpipe.training import cell_search
from reidpipe.training.batches import TrainingSet
from reidpipe.training.cell_search import CHOICES, Mixed, MixedCell, chosen, first_half
from reidpipe.training.resume import State
from tests.training.process import MACHINE

Set = tuple[Path, Path]
SEARCH: dict[str, Any] = {
    "epochs": 3,
    "image_size": (32, 16),
    "identities": 3,
    "images": 2,
    "augment": {"pad": 2},
    "channels": 4,
    "depths": (1, 1, 1, 1),
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def one_hot(nodes: Any) -> torch.Tensor:
    """Weights [14, operations] by which only the edges of a cell are left."""
    found = torch.zeros(14, len(CHOICES), dtype=torch.float64)
    first = 0
    for number, node in enumerate(nodes):
        for name, state in node:
            found[first + state, OPERATIONS.index(name)] = 1
        first += number + 2
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduced", [False, True])
def test_with_one_operation_per_edge_it_is_the_discrete_cell(kind: str, *, reduced: bool) -> None:
    """Norms without a scale of their own start as the others do; poolings have one more."""
    nodes = PUBLISHED[kind]
    own = {"reduces": kind == "reduce", "reduced": reduced}
    mixed = MixedCell((6, 8), 4, **own).double().eval()
    initialise(mixed, torch.Generator().manual_seed(2))
    discrete = Cell((6, 8), 4, nodes, **own).double().eval()
    initialise(discrete, torch.Generator().manual_seed(3))
    discrete.inputs.load_state_dict(mixed.inputs.state_dict(), strict=False)
    first, parts = 0, list(discrete.operations)
    for number, (node, operations) in enumerate(zip(nodes, parts, strict=True)):
        for (name, state), operation in zip(node, operations.children(), strict=True):
            edge = mixed.edges[first + state].operations[OPERATIONS.index(name)]
            if name not in {"max", "average", "skip"}:
                operation.load_state_dict(edge.state_dict(), strict=False)
        first += number + 2
    for module in mixed.modules():  # what stands behind a pooling divides by sqrt(1 + eps)
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    for module in discrete.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    older = torch.randn(2, 6, *((16, 8) if reduced else (8, 4)), dtype=torch.float64)
    newer = torch.randn(2, 8, 8, 4, dtype=torch.float64)
    with torch.no_grad():
        found = mixed(older, newer, one_hot(nodes))
        torch.testing.assert_close(found, discrete(older, newer))


def test_a_cell_becomes_weights_and_a_cell_again() -> None:
    for kind in KINDS:
        # Of two edges the heavier comes first.
        weights = one_hot(PUBLISHED[kind])
        first = 0
        for number, node in enumerate(PUBLISHED[kind]):
            name, state = node[1]
            weights[first + state, OPERATIONS.index(name)] = 0.5
            first += number + 2
        weights[:, -1] = 9  # "none" is never chosen
        found = [[list(edge) for edge in node] for node in chosen(weights)]
        assert found == PUBLISHED[kind]


def test_the_weights_of_an_edge_add_up_to_one() -> None:
    model = Mixed(3, 4, (1, 1, 1, 1))
    initialise(model, torch.Generator().manual_seed(0))
    for alpha in model.alpha.parameters():
        assert alpha.shape == (14, 7)
        torch.testing.assert_close(alpha.softmax(1).sum(1), torch.ones(14))
        assert 0 < alpha.abs().max() < 0.01
    assert [len(node) for node in model.cell()["normal"]] == [2, 2, 2, 2]
    cells.checked(model.cell(), "here")


def test_each_identity_is_halved() -> None:
    labels = np.array([0] * 5 + [1] * 4 + [2])
    found = first_half(labels, 0)
    assert [int(found[labels == label].sum()) for label in (0, 1, 2)] == [3, 2, 1]
    assert (first_half(labels, 0) == found).all()
    assert any((first_half(labels, seed) != found).any() for seed in range(1, 9))


def search(tiny_set: Set, **changes: Any) -> str:
    """What is left of the search of a tiny set, as text."""
    with State("cell") as state:
        found = cell_search.search(
            *tiny_set, state, seed=0, machine=MACHINE, **{**SEARCH, **changes}
        )
        state.remove()
    cells.write(Path("cell.json"), found)
    return Path("cell.json").read_text()


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[Mixed]:
    """Those that a search makes."""
    found: list[Mixed] = []
    make = Mixed.__init__

    def made(self: Mixed, *rest: Any) -> None:
        make(self, *rest)
        found.append(self)

    monkeypatch.setattr(Mixed, "__init__", made)
    return found


def test_alphas_learn_on_one_half_and_weights_on_the_other(
    tiny_set: Set, networks: list[Mixed], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, set[str]]] = []
    real = TrainingSet.__getitem__
    sets: list[TrainingSet] = []
    before: dict[str, torch.Tensor] = {}

    def noted(self: TrainingSet, number: int) -> object:
        if self not in sets:
            sets.append(self)
        state = {name: value.clone() for name, value in networks[0].named_parameters()}
        moved = {name for name in state if before and not torch.equal(before[name], state[name])}
        if seen:
            seen[-1] = (seen[-1][0], moved)
        before.update(state)
        seen.append((f"half {sets.index(self)}", set()))
        return real(self, number)

    monkeypatch.setattr(TrainingSet, "__getitem__", noted)
    search(tiny_set, epochs=1)
    assert not set(sets[0].images.members) & set(sets[1].images.members)
    assert sum(len(own.images) for own in sets) == 24
    assert [name for name, _ in seen[:4]] == ["half 0", "half 1", "half 0", "half 1"]
    for name, moved in seen[:-1]:
        if name == "half 0":
            assert moved == {"alpha.normal", "alpha.reduce"}
        else:
            assert moved
            assert not moved & {"alpha.normal", "alpha.reduce"}


def test_a_step_begins_without_the_gradients_of_the_one_before(
    tiny_set: Set, networks: list[Mixed], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[list[torch.Tensor]] = []
    backward = torch.autograd.backward

    def noted(loss: torch.Tensor) -> None:
        left.append([own.grad for own in networks[0].parameters() if own.grad is not None])
        backward(loss)

    monkeypatch.setattr(torch.autograd, "backward", noted)
    search(tiny_set, epochs=1)
    assert len(left) >= 4
    assert not any(left)


def test_killed_between_epochs_it_ends_with_the_same_cell(
    tiny_set: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    finals: list[torch.Tensor] = []
    chosen_cell = Mixed.cell

    def noted(self: Mixed) -> Any:
        finals.append(torch.cat([alpha.flatten() for alpha in self.alpha.parameters()]))
        return chosen_cell(self)

    monkeypatch.setattr(Mixed, "cell", noted)
    monkeypatch.setattr(State, "due", lambda _self, *, epoch_ends: epoch_ends)
    expected = search(tiny_set)
    save = State.save

    def dies(self: State, *rest: Any) -> None:
        save(self, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(State, "save", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(tiny_set)
    monkeypatch.setattr(State, "save", save)
    assert search(tiny_set) == expected
    assert torch.equal(finals[0], finals[-1])


def test_without_a_search_the_cell_is_the_published_one(tmp_path: Path) -> None:
    cell_search.cell({"search": {"epochs": 0}}, "market1501", tmp_path / "a.json")
    assert cells.read(tmp_path / "a.json") == PUBLISHED
