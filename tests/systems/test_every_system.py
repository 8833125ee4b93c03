"""What holds for each file of reidpipe/systems: it is saved, learns, and is what its paper says."""

import inspect
import json
import math
from importlib import import_module
from typing import get_type_hints

import pytest
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from reidpipe import systems as contract
from reidpipe.errors import UserError
from reidpipe.formats import params
from reidpipe.layers.dropout import draw_from
from reidpipe.reporting.science.costs import cost
from reidpipe.runtime.machine import on_device
from reidpipe.runtime.settings import keywords, metric, systems
from reidpipe.systems import System
from reidpipe.training import loop
from reidpipe.training.phases import ready
from tests.systems.small import CLASSES, SIZES, images, labels, network, recipe

COUNTS: dict[str, list[tuple[dict[str, object], int, int, int]]] = {
    "pcb": [({}, 24_032_832, 1_158_042, 6_079_905_792)],
    "svdnet": [({}, 25_605_184, 769_775, 4_089_233_408)],
    "rpp": [({}, 24_034_374, 1_158_042, 6_082_560_000)],
    "ide": [
        ({}, 23_508_032, 1_538_799, 2_669_150_208),
        ({"hidden": 512, "last_stride": 1}, 24_558_144, 385_263, 4_054_319_104),
    ],
    "ianet": [({}, 23_518_272, 1_538_799, 4_892_131_328)],
    "mgn": [({}, 68_807_744, 1_538_048, 11_884_822_528)],
    "dare": [
        ({}, 27_977_284, 0, 2_673_607_168),
        ({"trunk": "densenet201"}, 23_222_660, 0, 2_806_383_104),
    ],
    "alignedreid": [
        ({}, 23_770_560, 0, 2_669_150_208),
        ({"mutual": True}, 23_770_560, 23_770_560, 2_669_150_208),
    ],
    "hacnn": [({}, 2_929_112, 770_526, 562_091_646)],
    "autoreid": [
        ({}, 9_926_560, 1_538_799, 1_910_788_096),
        ({"channels": 48, "depths": (3, 4, 6, 3)}, 11_125_320, 1_154_287, 2_087_113_728),
        ({"channels": 32, "depths": (1, 1, 1, 1)}, 1_082_544, 769_775, 249_632_768),
        ({"embedding": 512}, 10_975_648, 385_263, 1_911_836_672),
    ],
    "gpreid": [({}, 46_696_512, 1_538_799, 13_547_823_104)],
    "aacn": [({}, 54_640_566, 769_024, 19_851_681_913)],
    "dpfl": [({}, 47_016_064, 6_154_445, 6_359_187_456)],
    "osnet": [
        ({}, 2_169_508, 385_263, 978_875_392),
        ({"multiplier": 0.75}, 1_285_754, 385_263, 571_752_192),
        ({"multiplier": 0.5}, 630_034, 385_263, 272_899_328),
        ({"multiplier": 0.25}, 201_864, 385_263, 82_314_880),
    ],
}
"""Options, parameters, those of the classifiers for 751 people, multiply-adds."""
EVERY = pytest.mark.parametrize("system", systems())


def loss(model: System, pictures: Tensor) -> Tensor:
    terms = model.losses(model(pictures), labels(len(pictures)))
    assert all(term.shape == () and term.isfinite() for term in terms.values())
    return torch.stack(list(terms.values())).sum()


def test_each_has_a_small_size() -> None:
    assert sorted(SIZES) == systems()
    assert sorted(COUNTS) == sorted(set(systems()) - {"ours"})


@EVERY
def test_what_is_saved_is_built_again(system: str) -> None:
    model = network(system).eval()
    about = json.loads(json.dumps({**model.about(), "image_size": [1, 2], "run": "any"}))
    again = contract.network(about.get("system", "ours")).from_about(about)
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval().embed(images(system)), model.embed(images(system)))


@EVERY
def test_a_description_that_lacks_something_is_refused(system: str) -> None:
    about = network(system).about()
    for name in about.keys() - {"system"}:
        with pytest.raises(UserError, match=f"nothing about {name}"):
            type(network(system)).from_about({k: v for k, v in about.items() if k != name})


@EVERY
def test_descriptors_are_of_the_width_and_follow_their_images(system: str) -> None:
    model, pictures = network(system).eval(), images(system)
    with torch.no_grad():
        found = model.embed(pictures)
        assert found.shape == (len(pictures), model.width)
        assert found.isfinite().all()
        assert found.std(0).max() > 0
        turned = model.embed(pictures.flip(0)).flip(0)
    torch.testing.assert_close(turned, found, rtol=1e-4, atol=1e-5)


@EVERY
def test_float32_is_float64_but_for_rounding(system: str) -> None:
    model, pictures = network(system).eval(), images(system)
    with torch.no_grad():
        single, small = model.embed(pictures), model(pictures)
        model.double()
        torch.testing.assert_close(
            single.double(), model.embed(pictures.double()), rtol=1e-3, atol=1e-4
        )
        out = model(pictures.double())
    assert all(len(part) == len(pictures) for part in out.values())
    for name, part in out.items():
        torch.testing.assert_close(small[name].double(), part, rtol=1e-3, atol=1e-4)


@EVERY
def test_what_is_right_is_said_of_each_image(system: str) -> None:
    """Of scores the largest; where nothing is classified, all images on their identity's place."""
    model, pictures = network(system).eval(), images(system)
    with torch.no_grad():
        out = model(pictures)
    if "scores" in out:
        assert out["scores"].shape == (len(pictures), CLASSES)
        wanted = torch.nn.functional.one_hot(labels(), CLASSES).float()
        assert model.right({**out, "scores": wanted}, labels()).all()
        assert not model.right({**out, "scores": -wanted}, labels()).any()
        return
    place = labels().float()[:, None].expand(len(pictures), 4)
    assert model.right(dict.fromkeys(out, place), labels()).all()
    assert not model.right(dict.fromkeys(out, place), torch.arange(len(pictures)) // 2).any()


@EVERY
def test_a_step_in_bfloat16_is_near_the_one_in_full(system: str) -> None:
    """What the paper profile trains with: distances and cosines are of float32 there too."""
    found = []
    for precision in ("fp32", "bf16"):
        model = network(system).train()
        draw_from(model, 0)
        value, values = loop.step(model, model, images(system), labels(), precision)
        torch.autograd.backward(value)
        assert all(math.isfinite(number) for number in values.values())
        found.append({name: number for name, number in values.items() if name != "accuracy"})
    assert found[1] == pytest.approx(found[0], rel=0.1, abs=0.2)


@EVERY
def test_gradients_reach_what_learns_in_a_phase_and_nothing_else(system: str) -> None:
    model = network(system).double()  # of a scale before a norm only eps leaves a gradient
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            torch.nn.init.ones_(module.weight)  # some start at 0, which shuts what is before them
            torch.nn.init.constant_(
                module.bias, 0.1
            )  # two norms in a row: the first scales nothing
    learnable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    reached = set()
    for _, phase in recipe(system).starts():
        optimiser = ready(model, phase, learnable)
        draw_from(model, 0)
        learning = {id(weight) for group in optimiser.param_groups for weight in group["params"]}
        model.zero_grad()
        torch.autograd.backward(loss(model, images(system).double()))
        for name, weight in model.named_parameters():
            assert (weight.grad is not None) == (id(weight) in learning), (phase.name, name)
            reached |= {name} if weight.grad is not None and weight.grad.any() else set()
    assert reached == learnable


@EVERY
def test_it_learns_sixteen_images_of_four_people(system: str) -> None:
    """The cheapest proof that the signs are right."""
    model = on_device(network(system), torch.device("cpu")).train()
    pictures = images(system, 16).contiguous(memory_format=torch.channels_last)
    parameters = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=3e-3)
    first = None
    for step in range(60):
        draw_from(model, step)
        found = loss(model, pictures)
        first = first or found.item()
        if found.item() < first / 2:
            return
        optimiser.zero_grad()
        torch.autograd.backward(found)
        optimiser.step()
    pytest.fail(f"{first} fell to {found.item()} in 60 steps")


@EVERY
def test_the_options_are_those_of_its_signatures(system: str) -> None:
    module = import_module(f"reidpipe.systems.{system}")
    names = {}
    for name in ("Network", "recipe"):
        target = getattr(module, name)
        found = {
            key: own.default
            for key, own in inspect.signature(target).parameters.items()
            if own.kind is own.KEYWORD_ONLY and own.default is not own.empty
        }
        fields = keywords(f"systems/{system}.py", name).model_fields
        assert list(fields) == list(found)
        call = target.__init__ if name == "Network" else target
        assert get_type_hints(call, include_extras=True).keys() >= found.keys()
        names[name] = found.keys()
    assert not names["Network"] & names["recipe"], "they share a section of params.yaml"
    chosen = params.load(profile="paper").active
    paper = contract.recipe(system, {} if system == "ours" else chosen.recipe(system))
    assert paper.epochs >= 25
    assert metric(system) == network(system).metric


@EVERY
def test_it_names_its_paper(system: str) -> None:
    text = inspect.getdoc(import_module(f"reidpipe.systems.{system}"))
    assert text
    assert "https://" in text
    assert "deviation" in text.lower() or "docs/decisions.md" in text


def test_what_is_compared_by_euclidean_distance() -> None:
    """As their papers or their authors' code do; the others by the cosine."""
    found = {system for system in systems() if metric(system) == "euclidean"}
    assert found == {"svdnet", "dare", "alignedreid", "dpfl"}


CASES = [(name, *case) for name, cases in COUNTS.items() for case in cases]


@pytest.mark.parametrize(("system", "options", "parameters", "classifiers", "operations"), CASES)
def test_costs_are_those_of_the_specification(
    system: str,
    options: dict[str, object],
    parameters: int,
    classifiers: int,
    operations: int,
) -> None:
    found = cost(system, options, contract.recipe(system, {}).image_size, 751)
    assert found == (parameters, classifiers, operations)
