"""Phases: what learns in each, with what optimiser, and a death at any of their edges."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reidpipe.files import digest
from reidpipe.formats.settings.training import Group, Phase, Recipe
from reidpipe.systems.svdnet import orthogonality
from reidpipe.training import position
from reidpipe.training.phases import ready, set_rate
from reidpipe.training.run import train
from tests.systems.small import OSNET, PCB, SVDNET, recipe
from tests.training.dying import KilledError, die_in_step, save_every_step
from tests.training.process import MACHINE

Set = tuple[Path, Path]
NETWORKS: dict[str, Mapping[str, Any]] = {"pcb": PCB, "svdnet": SVDNET, "osnet": OSNET}
STEPS = 3
"""Batches of an epoch: 24 images, 8 at a time."""


def phase(**changes: Any) -> Phase:
    return Phase.model_validate(
        {"epochs": 1, "optimiser": "sgd", "lr": 0.1, "weight_decay": 0.5, **changes}
    )


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


ALL = {name for name, _ in network().named_parameters()}


def test_the_first_group_that_fits_holds() -> None:
    groups = (Group(prefix="0.b", lr=2, weight_decay=0), Group(prefix="0.", lr=0.1))
    model = network()
    optimiser = ready(model, phase(groups=groups), ALL)
    set_rate(optimiser, 10.0)
    found = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for weight in group["params"]
    }
    by_name = {name: found[id(weight)] for name, weight in model.named_parameters()}
    assert by_name["0.weight"] == (1.0, 0.5)
    assert by_name["0.bias"] == (20.0, 0.0)
    assert {by_name[name] for name in ALL if not name.startswith("0.")} == {(10.0, 0.5)}


def test_what_is_frozen_neither_learns_nor_counts() -> None:
    model = network()
    optimiser = ready(model, phase(frozen=("1",)), ALL)
    assert [module.training for module in model] == [True, False, True]
    assert [weight.requires_grad for weight in model[1].parameters()] == [False, False]
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 4
    before = {name: value.clone() for name, value in model[1].state_dict().items()}
    model(torch.randn(5, 2)).sum().backward()
    optimiser.step()
    for name, value in model[1].state_dict().items():
        assert torch.equal(value, before[name])
    # The next phase trains it again, but nothing that never learned.
    ready(model, phase(), ALL - {"2.bias"})
    assert model[1].training
    still = [name for name, weight in model.named_parameters() if not weight.requires_grad]
    assert still == ["2.bias"]


@pytest.mark.parametrize("changes", [{"frozen": ("9",)}, {"groups": (Group(prefix="9"),)}])
def test_a_part_that_is_not_there_is_no_part(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="9"):
        ready(network(), phase(**changes), ALL)


@pytest.mark.parametrize("kind", ["adam", "amsgrad", "sgd", "nesterov"])
def test_a_step_is_that_of_the_named_optimiser(kind: str) -> None:
    """Against torch's plain forms, over three steps."""
    plain: dict[str, Any] = {
        "adam": lambda own: torch.optim.Adam(own, lr=0.1, weight_decay=0.5),
        "amsgrad": lambda own: torch.optim.Adam(own, lr=0.1, weight_decay=0.5, amsgrad=True),
        "sgd": lambda own: torch.optim.SGD(own, lr=0.1, weight_decay=0.5, momentum=0.9),
        "nesterov": lambda own: torch.optim.SGD(
            own, lr=0.1, weight_decay=0.5, momentum=0.9, nesterov=True
        ),
    }
    ours, other = network(), network()
    other.load_state_dict(ours.state_dict())
    steppers = [ready(ours, phase(optimiser=kind), ALL), plain[kind](other.parameters())]
    for seed in range(3):
        x = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed))
        for model, stepper in zip((ours, other), steppers, strict=True):
            stepper.zero_grad()
            model(x).square().sum().backward()
            stepper.step()
    for mine, theirs in zip(ours.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_phases_start_one_after_another() -> None:
    found = [(first, own.name) for first, own in recipe("svdnet").starts()]
    assert found == [
        (0, "base"),
        (2, "restraint"),
        (3, "relaxation"),
        (4, "restraint"),
        (5, "relaxation"),
    ]
    assert recipe("svdnet").epochs == 6


def go(tiny_set: Set, system: str, how: Recipe, folder: Path) -> str:
    archive, manifest = tiny_set
    model, history = folder / "model.safetensors", folder / "history.csv"
    files: dict[str, Any] = {"archive": archive, "manifest": manifest, "model_file": model}
    files |= {"history_file": history, "start": None, "code": "tests", "machine": MACHINE}
    train("tiny", system, NETWORKS[system], how, 0, **files)
    return digest(model) + digest(history)


@pytest.fixture(scope="module")
def undisturbed(tiny_set: Set, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What a training of a system ends with; each is done once."""

    @cache
    def ended(system: str) -> str:
        return go(tiny_set, system, recipe(system), tmp_path_factory.mktemp(system))

    return ended


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# In a phase's first and last step, in its middle, and in the first of the next.
@pytest.mark.parametrize(
    ("system", "step"),
    [
        ("svdnet", 2 * STEPS),
        ("svdnet", 2 * STEPS + 1),
        ("svdnet", 2 * STEPS + 2),
        ("svdnet", 3 * STEPS + 1),
        ("osnet", STEPS),
        ("osnet", STEPS + 1),
        ("osnet", STEPS + 2),
        ("pcb", 2),
        ("pcb", STEPS + 1),
    ],
)
def test_killed_at_the_edges_of_phases_the_bytes_are_the_undisturbed_ones(
    tiny_set: Set,
    undisturbed: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    step: int,
) -> None:
    how, expected = recipe(system), undisturbed(system)
    save_every_step(monkeypatch)
    losses = die_in_step(monkeypatch, step)
    with pytest.raises(KilledError):
        go(tiny_set, system, how, Path())
    assert go(tiny_set, system, how, Path()) == expected
    assert len(losses) == how.epochs * STEPS + 1, "the second run took up where the first died"


@pytest.mark.parametrize("epoch", [2, 3, 6])
def test_stopped_between_the_last_step_of_a_phase_and_the_next(
    tiny_set: Set,
    undisturbed: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    epoch: int,
) -> None:
    """All its steps are done, and its last epoch is still to be closed."""
    how, expected = recipe("svdnet"), undisturbed("svdnet")
    save_every_step(monkeypatch)
    end = position.Position.end_epoch

    def dies(self: position.Position, *arguments: Any) -> None:
        if self.epoch + 1 == epoch:
            raise KilledError
        end(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(position.Position, "end_epoch", dies)
        with pytest.raises(KilledError):
            go(tiny_set, "svdnet", how, Path())
    assert go(tiny_set, "svdnet", how, Path()) == expected


def test_what_a_phase_fixes_keeps_its_bytes_and_all_else_moves(
    tiny_set: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a real training: the Eigenlayer in a restraint, the first stages in a relaxation."""
    seen: list[tuple[str, dict[str, torch.Tensor]]] = []
    end, how = position.Position.end_epoch, recipe("svdnet")
    names = [own.name for own in how.phases for _ in range(own.epochs)]
    models: list[nn.Module] = []

    def kept(model: nn.Module, *arguments: Any) -> Any:
        models[:] = [model]
        return ready(model, *arguments)

    def noted(self: position.Position, *arguments: Any) -> None:
        state = {name: value.clone() for name, value in models[0].state_dict().items()}
        seen.append((names[self.epoch], state))
        end(self, *arguments)

    monkeypatch.setattr("reidpipe.training.loop.ready", kept)
    monkeypatch.setattr(position.Position, "end_epoch", noted)
    go(tiny_set, "svdnet", how, tmp_path)
    assert [name for name, _ in seen] == names
    for (_, before), (name, after) in pairwise(seen):
        same = {key for key, value in after.items() if torch.equal(value, before[key])}
        fixed = {key for key in after if "num_batches" in key or "running" in key}
        if name == "relaxation":
            early = ("backbone.conv1.", "backbone.layer1.")
            norms = {key for key in after if ".bn" in key or ".downsample.1." in key}
            fixed |= norms | {key for key in after if key.startswith(early)}
        if name == "restraint":  # turned at its start, and fixed since
            same.discard("eigenlayer.weight")
        assert same == fixed, name
    restraint, relaxation = seen[4][1], seen[5][1]
    assert orthogonality(restraint["eigenlayer.weight"].T.double()) == pytest.approx(1, abs=1e-6)
    assert not torch.equal(restraint["eigenlayer.weight"], relaxation["eigenlayer.weight"])


def test_steps_have_the_rates_of_their_phase_and_masks_of_their_own(
    tiny_set: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    keys: list[tuple[int | str, ...]] = []
    monkeypatch.setattr("reidpipe.training.loop.set_rate", lambda _, rate: rates.append(rate))
    monkeypatch.setattr("reidpipe.training.loop.draw_from", lambda _, *key: keys.append(key))
    how = recipe("osnet")
    go(tiny_set, "osnet", how, tmp_path)
    full = how.phases[1].lr
    expected = [how.phases[0].lr, full, full * (1 + math.cos(math.pi / 2)) / 2]
    assert rates[::STEPS] == pytest.approx(expected)
    assert len(rates) == len(set(keys)) == how.epochs * STEPS


def test_the_history_has_what_is_watched(tiny_set: Set, tmp_path: Path) -> None:
    """S(W) is 1 when a restraint begins and does not move in it."""
    go(tiny_set, "svdnet", recipe("svdnet"), tmp_path)
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,lr,loss,ce,orthogonality,accuracy,phase"
    assert [row.split(",")[-1] for row in rows] == [
        *["base"] * 2,
        *["restraint", "relaxation"] * 2,
    ]
    values = [float(row.split(",")[4]) for row in rows]
    assert values[2] == pytest.approx(1, abs=1e-5) == values[4]
    assert values[0] < 0.9
