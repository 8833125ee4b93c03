"""The ImageNet file: read without unpickling code, checked by its sum, refused by name."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import resnet18

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.training import TorchvisionWeights
from reidpipe.training.weights import download, first_weights


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REIDPIPE_ARCHIVES", str(tmp_path))
    return tmp_path


def entry(source: TorchvisionWeights, backbone: str = "resnet18") -> dict[str, Any]:
    """What the plan says of these weights."""
    network = {"attention": "none", "classifier": "linear", "triplet": True, "backbone": backbone}
    made = {"system": "ours", "network": network, "instructions": "native"}
    return {"source": source.model_dump(), **made}


def saved(folder: Path, content: Any) -> TorchvisionWeights:
    """A weights file as torchvision publishes them, and the section that names it."""
    torch.save(content, folder / "w.pth")
    return TorchvisionWeights(
        source="torchvision", file="w.pth", sha256=digest(folder / "w.pth"), download=False
    )


def test_torchvisions_tensors_come_through_without_the_classifier(archives: Path) -> None:
    model = resnet18(num_classes=7)
    source = saved(archives, model.state_dict())
    first_weights(entry(source), archives / "out")
    tensors, about = checkpoint.load(archives / "out")
    expected = {k: v for k, v in model.state_dict().items() if not k.startswith("fc.")}
    assert set(tensors) == set(expected)
    assert all(torch.equal(tensors[name], value) for name, value in expected.items())
    assert about == {"backbone": "resnet18", "source": "torchvision"}


def test_random_weights_are_a_file_without_tensors(tmp_path: Path) -> None:
    first_weights({"source": {"source": "random"}}, tmp_path / "out")
    assert checkpoint.load(tmp_path / "out") == ({}, {"source": "random"})


def test_another_network_is_refused_by_name(archives: Path) -> None:
    tensors = resnet18().state_dict()
    tensors["layer9.weight"] = tensors.pop("layer1.0.conv1.weight")
    with pytest.raises(UserError, match="do not fit") as caught:
        first_weights(entry(saved(archives, tensors)), archives / "out")
    assert "missing: layer1.0.conv1.weight" in str(caught.value)
    assert "unknown: layer9.weight" in str(caught.value)
    assert not (archives / "out").exists()


def test_another_file_is_refused_by_its_sum(archives: Path) -> None:
    source = saved(archives, resnet18().state_dict())
    (archives / "w.pth").write_bytes(b"another")
    with pytest.raises(UserError, match="another one, or damaged") as caught:
        first_weights(entry(source), archives / "out")
    assert str(source.sha256) in str(caught.value)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('code of the file was run')",)


@pytest.mark.parametrize("content", [Hostile(), {"conv1.weight": Hostile()}])
def test_code_in_the_file_is_never_run(archives: Path, content: Any) -> None:
    (archives / "w.pth").write_bytes(pickle.dumps(content, protocol=2))
    sha256 = digest(archives / "w.pth")
    source = TorchvisionWeights(source="torchvision", file="w.pth", sha256=sha256, download=False)
    with pytest.raises(UserError, match="not a weights file"):
        first_weights(entry(source), archives / "out")


def test_a_missing_file_says_where_to_put_it(archives: Path) -> None:
    source = TorchvisionWeights(source="torchvision", file="none.pth", download=False)
    with pytest.raises(UserError, match="missing") as caught:
        first_weights(entry(source), archives / "out")
    assert "REIDPIPE_ARCHIVES" in str(caught.value)


def test_a_file_without_names_is_refused(archives: Path) -> None:
    with pytest.raises(UserError, match="not a state dict"):
        first_weights(entry(saved(archives, torch.zeros(3))), archives / "out")


def test_a_download_of_another_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "cut.pth").write_bytes(b"the first half")
    with pytest.raises(UserError, match=r"(?s)cannot be fetched.*invalid hash"):
        download((tmp_path / "cut.pth").as_uri(), tmp_path / "out" / "w.pth", "11ad3fa6")
    assert not list((tmp_path / "out").iterdir())
