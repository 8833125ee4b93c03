"""Networks of other code: adopted, they embed as where they come from; others are refused."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34
from typer.testing import CliRunner

from reidpipe.cli import app
from reidpipe.commands.adopt import Adopted, Choices, adopt
from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import weights
from reidpipe.formats.checkpoints.renaming import renamed
from reidpipe.formats.settings.training import FileWeights
from reidpipe.systems.trained import load
from reidpipe.training.architectures import nearest, trunks
from reidpipe.training.weights import first_weights
from tests.commands import theirs
from tests.commands.theirs import settled

PEOPLE, SIZE = 5, (64, 32)
FILE, OUT = Path("theirs.pth"), Path("models/ours.safetensors")


class Pooled(nn.Module):
    """timm's and torchvision's networks embed by the mean of their last map."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        network: Any = self.network
        x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        out: Tensor = network.layer4(network.layer3(network.layer2(network.layer1(x))))
        return out.mean((2, 3))


def of_timm() -> nn.Module:
    import timm  # noqa: PLC0415

    network = timm.create_model("resnet18", num_classes=PEOPLE)
    network.relu = network.act1
    return network


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str, str, int | None]] = {
    "bot": (lambda: theirs.Bot(PEOPLE), "BoT", "ours", PEOPLE),
    "fastreid": (lambda: theirs.FastReid(PEOPLE), "FastReID", "ours", PEOPLE),
    "fastreid of 2020": (lambda: theirs.FastReid(PEOPLE, old=True), "FastReID", "ours", PEOPLE),
    "torchreid": (lambda: theirs.TorchreidResNet(PEOPLE), "torchreid's ResNet", "ide", PEOPLE),
    "fc512": (lambda: theirs.TorchreidResNet(PEOPLE, 24), "torchreid's ResNet", "ide", PEOPLE),
    **{
        f"osnet x{m:g}": (
            partial(theirs.TorchreidOsnet, PEOPLE, m),
            "torchreid's OSNet",
            "osnet",
            PEOPLE,
        )
        for m in (1.0, 0.75, 0.5, 0.25)
    },
    "torchvision": (lambda: resnet18(num_classes=7), "timm or torchvision", "ide", 7),
    "deeper": (lambda: resnet34(num_classes=7), "timm or torchvision", "ide", 7),
    "timm": (of_timm, "timm or torchvision", "ide", PEOPLE),
}
"""A network, what it is recognised as, what it becomes, and whom its classifier knows."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path))


def pictures() -> Tensor:
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(3)).double()


def taken(path: Path = FILE, **choices: Any) -> Adopted:
    return adopt(path, OUT, image_size=SIZE, choices=Choices(**choices))


def embeddings(network: nn.Module) -> tuple[Tensor, Tensor]:
    """By our network from OUT and by theirs, float64."""
    whole = network if hasattr(network, "classifier") or hasattr(network, "heads") else None
    with torch.no_grad():
        ours = load(OUT).model.double().embed(pictures())
        return ours, (whole or Pooled(network)).double()(pictures())


@pytest.mark.parametrize("name", NETWORKS)
def test_it_embeds_as_where_it_comes_from(name: str) -> None:
    made, base, system, people = NETWORKS[name]
    network = settled(made())
    torch.save(network.state_dict(), FILE)
    found = taken()
    assert (found.base, found.system, found.people) == (base, system, people)
    ours, expected = embeddings(network)
    assert found.width == expected.shape[1]
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))


def as_torchreid(state: dict[str, Tensor]) -> None:
    scores = {"rank1": np.float64(0.9), "mAP": np.float32(0.8), "epoch": 60}
    wrapped = {f"module.{name}": value for name, value in state.items()}
    torch.save({"state_dict": wrapped, **scores, "optimizer": {"state": {}}}, FILE)


def as_compiled_on_several_gpus(state: dict[str, Tensor]) -> None:
    torch.save({f"module._orig_mod.{name}": value for name, value in state.items()}, FILE)


def as_safetensors(state: dict[str, Tensor]) -> None:
    save_file({name: value.contiguous() for name, value in state.items()}, "theirs.safetensors")


WAYS: dict[str, tuple[Callable[[dict[str, Tensor]], None], str]] = {
    "a checkpoint of torchreid, of several GPUs": (as_torchreid, "theirs.pth"),
    "of a compiled network of several GPUs": (as_compiled_on_several_gpus, "theirs.pth"),
    "a checkpoint of FastReID": (
        lambda s: torch.save({"model": s, "iteration": 9}, FILE),
        "theirs.pth",
    ),
    "of torch's first format": (
        lambda s: torch.save(s, FILE, _use_new_zipfile_serialization=False),
        "theirs.pth",
    ),
    "safetensors": (as_safetensors, "theirs.safetensors"),
    "of half precision": (
        lambda s: torch.save(
            {k: v.half() if v.is_floating_point() else v for k, v in s.items()}, FILE
        ),
        "theirs.pth",
    ),
    "without counters": (
        lambda s: torch.save({k: v for k, v in s.items() if "num_batches" not in k}, FILE),
        "theirs.pth",
    ),
    "without its classifier": (
        lambda s: torch.save({k: v for k, v in s.items() if "classifier" not in k}, FILE),
        "theirs.pth",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_was_saved(way: str) -> None:
    network = settled(theirs.Bot(PEOPLE))
    save, name = WAYS[way]
    save(network.state_dict())
    found = taken(Path(name))
    assert found.people == (None if "classifier" in way else PEOPLE)
    ours, expected = embeddings(network)
    near = 1e-2 if "half" in way else 1e-6
    torch.testing.assert_close(ours, expected, rtol=near, atol=near * float(expected.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bot", "osnet x0.25"])
def test_an_onnx_file_whose_norms_are_its_own(name: str) -> None:
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    network = settled(NETWORKS[name][0]())
    program = torch.onnx.export(
        network, (pictures().float(),), dynamo=True, optimize=False, verbose=False
    )
    assert program is not None
    program.save("theirs.onnx", external_data=False)
    assert taken(Path("theirs.onnx")).people is None  # it is no part of the graph
    ours, expected = embeddings(network)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))


def test_an_onnx_file_whose_names_are_lost_says_so() -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    numbers = onnx.numpy_helper.from_array(np.zeros(3, np.float32), "onnx::Conv_497")
    graph = onnx.helper.make_graph([], "g", [], [], initializer=[numbers])
    onnx.save(onnx.helper.make_model(graph), "theirs.onnx")
    with pytest.raises(UserError, match=r"(?s)no code base.*batch norms are folded"):
        taken(Path("theirs.onnx"))


@pytest.mark.parametrize("ceil", [True, False])
def test_the_stem_is_a_choice_that_no_tensor_tells(ceil: bool) -> None:
    network = settled(theirs.FastReid(PEOPLE, ceil=ceil))
    torch.save(network.state_dict(), FILE)
    taken(ceil=ceil)
    ours, expected = embeddings(network)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
    taken(ceil=not ceil)
    ours, _ = embeddings(network)
    assert (ours - expected).abs().max() > 1e-2


def test_the_last_stride_is_one_too() -> None:
    network = settled(resnet18(num_classes=7))
    torch.save(network.state_dict(), FILE)
    taken(last_stride=1)
    ours, expected = embeddings(network)
    assert (ours - expected).abs().max() > 1e-2
    torch.save(settled(theirs.Bot(PEOPLE)).state_dict(), FILE)
    with pytest.raises(UserError, match="last stride of 1"):
        taken(last_stride=2)


def spoiled(network: nn.Module, **changes: Tensor | None) -> dict[str, Tensor]:
    state = dict(settled(network).state_dict())
    for name, value in changes.items():
        key = name.replace("__", ".")
        if value is None:
            del state[key]
        else:
            state[key] = value
    return state


def spoiled_by(change: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    state = settled(theirs.Bot(PEOPLE)).state_dict()
    return {**state, "base.layer1.0.conv1.weight": change(state["base.layer1.0.conv1.weight"])}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "GeM pooling": (
        lambda: spoiled(theirs.FastReid(PEOPLE), heads__pool_layer__p=torch.ones(1) * 3),
        r"(?s)parts that are not known.*pool_layer\.p.*GeM.*start from its trunk",
    ),
    "instance norms": (
        lambda: settled(theirs.TorchreidOsnet(PEOPLE, ibn=True)).state_dict(),
        r"(?s)not known here.*nearest is osnet_x1: .*unknown: conv2\.0\.IN\.bias",
    ),
    "a wider network": (
        lambda: settled(theirs.TorchreidOsnet(PEOPLE, 1.5)).state_dict(),
        r"(?s)not known here.*one of resnet10_x0_5.*the nearest is osnet_x1.*shapes: ",
    ),
    "a missing tensor": (
        lambda: spoiled(theirs.Bot(PEOPLE), base__layer2__0__conv1__weight=None),
        r"(?s)nearest is resnet18: .*missing: layer2\.0\.conv1\.weight",
    ),
    "a missing norm behind": (
        lambda: spoiled(theirs.Bot(PEOPLE), bottleneck__running_var=None),
        r"(?s)not a whole network of BoT.*theirs\.pth.*missing: neck\.running_var",
    ),
    "other pixels": (
        lambda: spoiled(theirs.FastReid(PEOPLE), pixel_mean=torch.zeros(1, 3, 1, 1)),
        r"(?s)pixels normalised otherwise.*pixel_mean",
    ),
    "a reduction": (
        lambda: spoiled(
            theirs.FastReid(PEOPLE), heads__bottleneck__0__weight=torch.ones(8, 512, 1, 1)
        ),
        r"(?s)not a whole network of FastReID.*shape: neck\.weight is \(8, 512, 1, 1\)",
    ),
    "another code base": (
        lambda: {"patch_embed.weight": torch.ones(3)},
        "no code base that is known",
    ),
    "a whole module": (lambda: theirs.Bot(PEOPLE), r"(?s)not a weights file.*state_dict\(\)"),
    "no tensors": (lambda: {"epoch": 3}, r"(?s)not a state dict.*epoch"),
    "nothing": (dict, r"(?s)not a state dict.*nothing"),
    "a list": (lambda: [torch.ones(1)], r"(?s)not a state dict.*list"),
    "names that are numbers": (lambda: {1: torch.ones(1), "a": torch.ones(1)}, "not a state dict"),
    **{
        kind: (
            partial(spoiled_by, change),
            r"(?s)tensors that are no weights.*theirs\.pth.*base\.layer1\.0\.conv1\.weight",
        )
        for kind, change in (
            ("NaN", lambda weight: weight * np.nan),
            ("infinity", lambda weight: weight / 0),
            ("complex numbers", lambda weight: weight * 1j),
            ("whole numbers", lambda weight: weight.long()),
            ("booleans", lambda weight: weight > 0),
            ("sparse", lambda weight: weight.to_sparse()),
        )
    },
}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize("what", REFUSED)
def test_what_would_embed_otherwise_is_refused(what: str) -> None:
    made, message = REFUSED[what]
    torch.save(made(), FILE)
    with pytest.raises(UserError, match=message):
        taken()
    assert not OUT.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.pth", None),
        ("cut.pth", b"PK\x03\x04cut"),
        ("text.pth", b"hello"),
        ("empty.pth", b""),
        ("cut.safetensors", b"\x00" * 4),
        ("cut.onnx", b"\xff\xff\xff"),
        ("folder.pth", "a folder"),
    ],
)
def test_a_file_that_is_none_is_named(name: str, content: bytes | str | None) -> None:
    if isinstance(content, bytes):
        Path(name).write_bytes(content)
    elif content:
        Path(name).mkdir()
    with pytest.raises(UserError) as caught:
        taken(Path(name))
    assert name in str(caught.value)


def test_the_command_says_what_fits_and_what_is_left() -> None:
    torch.save(settled(theirs.FastReid(PEOPLE)).state_dict(), FILE)
    for name in ("params.yaml", "runs.yaml"):
        Path(name).symlink_to(Path(__file__).parents[2] / name)
    result = CliRunner().invoke(
        app,
        ["adopt", str(FILE), str(OUT), "--height", "64", "--width", "32"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert "FastReID, resnet18; 126 tensors fit, none is missing" in result.stdout
    assert "left over: pixel_mean, pixel_std" in result.stdout
    assert "ours, 64x32, descriptors of 512, a classifier of 5" in result.stdout
    _, about = weights.load(OUT)
    assert about["adopted"] == {"from": FILE.name, "sha256": digest(FILE), "names": "FastReID"}


def test_the_same_file_makes_the_same_bytes() -> None:
    torch.save(settled(theirs.Bot(PEOPLE)).state_dict(), FILE)
    taken()
    once = OUT.read_bytes()
    taken()
    assert OUT.read_bytes() == once


STARTS = [
    ("bot", "ours", {"backbone": "resnet18"}),
    ("fastreid", "ours", {"backbone": "resnet18_ceil"}),
    ("torchreid", "ours", {"backbone": "resnet18"}),
    ("timm", "ours", {"backbone": "resnet18"}),
    ("osnet x0.5", "osnet", {"multiplier": 0.5}),
]


@pytest.mark.parametrize(("name", "system", "options"), STARTS)
def test_a_run_starts_from_its_trunk(name: str, system: str, options: dict[str, Any]) -> None:
    network = settled(NETWORKS[name][0]())
    torch.save(network.state_dict(), FILE)
    source = FileWeights(source="file", file=FILE.name, sha256=digest(FILE))
    ours = {"attention": "none", "classifier": "linear", "triplet": True}
    plain = {**(ours if system == "ours" else {}), **options}
    entry = {
        "source": source.model_dump(),
        "system": system,
        "network": plain,
        "instructions": "native",
    }
    said = first_weights(entry, Path("out"))
    tensors, about = weights.load(Path("out"))
    assert set(trunks()[about["backbone"].removesuffix("_ceil")]) == set(tensors)
    assert f"{len(tensors)} tensors of the trunk" in said
    found = renamed(network.state_dict())
    assert found is not None
    assert all(torch.equal(found.trunk[key], value) for key, value in tensors.items())


def test_each_trunk_is_nearest_to_itself() -> None:
    for name, shapes in trunks().items():
        tensors = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
        found = nearest(tensors)
        assert found.whole
        assert found.name == name
