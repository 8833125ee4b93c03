"""Each recipe of docs/extending.md does what it says, typed as it stands there."""

import json
from pathlib import Path

import pytest

from tests.datasets.archives import Files, jpeg, market, to_zip
from tests.pipeline.clone import Clone, stages_run
from tests.pipeline.recipes import ROOT, Block, recipe

TITLES = ("An attention module", "A loss", "A backbone", "A system", "A data set")

STEP = """
from pathlib import Path
import torch
from reidpipe.formats.params import Params, read
from reidpipe.training import loop
from reidpipe.training.run import new_model

def step(module="none", **options):
    content = read(Path("params.yaml"))
    content["embedded"]["systems"]["ours"] |= options
    profile = Params.model_validate(content).active
    network = new_model("ours", profile.network(module, "linear", triplet=True), 3, seed=0)
    images = torch.rand(6, 3, 32, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    loss, values = loop.step(network, network, images, labels, "fp32")
    loss.backward()
    return network, values
"""


@pytest.fixture(scope="module")
def made(untouched: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return untouched.copy(tmp_path_factory.mktemp("extending") / "clone")


@pytest.fixture
def clone(made: Clone) -> Clone:
    """A clone as it was before any recipe; results of the last one stay in its cache."""
    made.run("git", "reset", "-q", "--hard")
    made.run("git", "clean", "-qfd")
    return made


def follow(title: str, clone: Clone, until: str = "") -> list[Block]:
    """Make the files and changes of a recipe (down to a text of it); return its commands."""
    blocks = recipe(title)
    if until:
        end = next(i for i, block in enumerate(blocks) if until in block.text + block.path)
        blocks = blocks[:end]
    for block in blocks:
        block.apply(clone.folder)
    return [block for block in blocks if block.kind == "console"]


def python(clone: Clone, script: str) -> str:
    return clone.run("python", "-c", STEP + script).stdout


@pytest.mark.parametrize("title", TITLES)
def test_no_rule_of_style_is_broken(clone: Clone, title: str) -> None:
    follow(title, clone)
    changed = [line[3:] for line in clone.state().splitlines() if line.endswith(".py")]
    assert changed
    settings = ("--config", str(ROOT / "pyproject.toml"))
    clone.run("ruff", "check", *settings, *changed)
    clone.run("ruff", "format", "--check", *settings, *changed)


@pytest.mark.slow
def test_an_attention_module_trains_with_its_option(clone: Clone) -> None:
    follow("An attention module", clone)
    shown = python(
        clone,
        """
network, _ = step("gain")
gates = [block.attention for block in network.backbone.blocks()]
assert all(gate.conv.weight.grad.abs().sum() > 0 for gate in gates)
changed, _ = step("gain", options={"gain": {"power": 2.0}})
print(changed.backbone.layer1[0].attention.power)
""",
    )
    assert shown == "2.0\n"


@pytest.mark.slow
def test_a_loss_is_that_of_its_equation_and_off_by_default(clone: Clone) -> None:
    follow("A loss", clone)
    python(
        clone,
        """
from reidpipe.losses.contrastive import contrastive
feature = torch.randn(7, 8, generator=torch.Generator().manual_seed(1))
labels, terms = [0, 1, 0, 2, 1, 0, 2], []
unit = feature / feature.norm(dim=1, keepdim=True)
for a in range(7):
    others = [i for i in range(7) if i != a]
    total = sum(torch.exp(unit[a] @ unit[i] / 0.5) for i in others)
    positives = [i for i in others if labels[i] == labels[a]]
    shares = [torch.log(torch.exp(unit[a] @ unit[p] / 0.5) / total) for p in positives]
    terms.append(-sum(shares) / len(shares))
found = contrastive(feature, torch.tensor(labels), temperature=0.5)
torch.testing.assert_close(found, torch.stack(terms).mean())
assert "contrastive" not in step()[1]
values = step(temperature=0.1)[1]
assert abs(values["loss"] - values["ce"] - values["triplet"] - values["contrastive"]) < 1e-5
""",
    )


@pytest.mark.slow
def test_backbones_keep_the_contract(clone: Clone) -> None:
    follow("A backbone", clone)
    shown = python(
        clone,
        """
for name in ("resnet26", "resnext50"):
    network, _ = step("se", backbone=name)
    feature_map = network.backbone(torch.zeros(1, 3, 64, 32))
    print(name, len(list(network.backbone.blocks())), list(feature_map.shape))
""",
    )
    assert shown.splitlines() == [
        "resnet26 8 [1, 2048, 4, 2]",
        "resnext50 16 [1, 2048, 4, 2]",
    ]


@pytest.mark.slow
def test_a_system_is_trained_and_evaluated(clone: Clone) -> None:
    (block,) = follow("A system", clone)
    said = clone.run("bash", "-c", block.commands[-1]).stdout
    assert {"train@mine-gem", "evaluate@mine-gem"} <= set(stages_run(said))
    metrics = json.loads(clone.read("reports/metrics/mine-gem.json"))
    assert metrics["num_query"] > 0
    columns = clone.read("runs/mine-gem/history.csv").splitlines()[0]
    assert columns == "epoch,lr,loss,ce,accuracy"


def a_folder_per_person() -> Files:
    shown = {"train": (2, 7), "query": (3, 5), "gallery": (3, 5)}
    names = [
        f"{s}/{pid:04d}/c{c}_x.jpg" for s, pids in shown.items() for pid in pids for c in (1, 2)
    ]
    return {name: jpeg(seed) for seed, name in enumerate(names)}


@pytest.mark.slow
def test_a_layout_reads_a_data_set(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path))
    to_zip(tmp_path / "mine.zip", a_folder_per_person())
    *_, commands = follow("A data set", clone)
    for command in commands.commands:
        clone.run("bash", "-c", command)
    figures = json.loads(clone.read("reports/data/mine.json"))
    assert (figures["train_ids"], figures["query_images"], figures["gallery_images"]) == (2, 4, 4)
    to_zip(tmp_path / "mine.zip", a_folder_per_person() | {"query/0003/x.jpg": jpeg()})
    refused = clone.run("python", "-m", "stages.download", "mine", check=False)
    assert "names that are not PERSON/cCAMERA" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("title", ["A loss", "A backbone"])
def test_the_commands_of_a_recipe_run(clone: Clone, title: str) -> None:
    (block,) = follow(title, clone)
    said = clone.run("bash", "-c", block.commands[-1]).stdout
    assert "train@market1501-ours" in stages_run(said)
    assert (clone.folder / "reports/metrics/market1501-ours.json").exists()
    columns = clone.read("runs/market1501-ours/history.csv").splitlines()[0].split(",")
    assert ("contrastive" in columns) == (title == "A loss")


@pytest.mark.slow
def test_a_data_set_in_a_known_layout_needs_no_code(
    clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_zip(tmp_path / "mine.zip", market(train=(2, 7, 8), test=(3, 5)))
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path))
    follow("A data set", clone, until="folders.py")
    said = clone.run("dvc", "repro", "evaluate@mine-ours").stdout
    assert {"train@mine-ours", "evaluate@mine-ours"} <= set(stages_run(said))
    assert json.loads(clone.read("reports/metrics/mine-ours.json"))["num_query"] == 2


@pytest.mark.slow
@pytest.mark.xdist_group("types")
@pytest.mark.parametrize("title", TITLES)
def test_the_types_hold(clone: Clone, title: str) -> None:
    follow(title, clone)
    clone.run("mypy", "--config-file", str(ROOT / "pyproject.toml"), "reidpipe")
