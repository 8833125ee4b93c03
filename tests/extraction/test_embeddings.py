"""The extract stage: embeddings of the right images, in the manifest's order."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from reidpipe.errors import UserError
from reidpipe.extraction.embeddings import extract
from reidpipe.formats import weights as checkpoint
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.images.transforms import normalise
from reidpipe.layers.initial import initialise
from reidpipe.runtime.streams import stream
from reidpipe.systems.ours import Network
from reidpipe.systems.trained import load

PARAMS = ExtractParams(batch_size=4, device="cpu", threads=1)
SUBSETS = ["train"] * 2 + ["query"] * 3 + ["gallery"] * 6
# At 32x16 oneDNN's AMX kernel reads past a 4x2 map: garbage, even NaN, in bfloat16 (torch 2.14.1).
SIZE = (64, 32)


def picture(number: int) -> np.ndarray:
    return stream(0, "picture", number).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a.zip and a.csv with rows of `SUBSETS`, and a model whose batch norms have statistics."""
    made = tmp_path_factory.mktemp("extract")
    lines = ["member,pid,camid,subset,label"]
    with zipfile.ZipFile(made / "a.zip", "w") as archive:
        for number, subset in enumerate(SUBSETS):
            buffer = io.BytesIO()
            Image.fromarray(picture(number)).save(buffer, "PNG")
            archive.writestr(f"{number:02}.png", buffer.getvalue())
            label = number if subset == "train" else -1
            lines.append(f"{number:02}.png,{number % 4 + 1},{number % 3 + 1},{subset},{label}")
    (made / "a.csv").write_text("\n".join(lines) + "\n")
    model = Network(2, attention="cbam", classifier="circle", triplet=False, backbone="resnet18")
    initialise(model, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for _ in range(30):
            model.embed(pixels())
    about = {**model.about(), "image_size": SIZE, "run": "test"}
    checkpoint.save(made / "model.safetensors", model.state_dict(), about)
    return made


def pixels() -> Tensor:
    """The query and gallery images as the network sees them."""
    numbers = [number for number, subset in enumerate(SUBSETS) if subset != "train"]
    images = np.stack([picture(number) for number in numbers])
    return normalise(torch.from_numpy(images).permute(0, 3, 1, 2))


def extracted(
    folder: Path, tmp_path: Path, params: ExtractParams = PARAMS, workers: int = 0
) -> dict[str, Tensor]:
    out = tmp_path / "features.safetensors"
    files = folder / "model.safetensors", folder / "a.zip", folder / "a.csv"
    extract(*files, params, out, workers=workers)
    return checkpoint.load(out)[0]


def embedded(folder: Path, images: Tensor) -> Tensor:
    """Embeddings of whole images at once, in eval mode."""
    model = load(folder / "model.safetensors").model
    with torch.no_grad():
        return model.embed(images)


def test_rows_are_the_manifests_without_training_images(folder: Path, tmp_path: Path) -> None:
    found = extracted(folder, tmp_path)
    assert found["subset"].tolist() == [0] * 3 + [1] * 6
    assert found["pid"].tolist() == [number % 4 + 1 for number in range(2, 11)]
    assert found["camid"].tolist() == [number % 3 + 1 for number in range(2, 11)]
    assert found["embedding"].shape == (9, 512)
    assert found["embedding"].dtype == torch.float32


@pytest.mark.parametrize("batch_size", [1, 4, 9, 100])
def test_embeddings_are_the_networks_in_eval_mode_in_any_batches(
    folder: Path, tmp_path: Path, batch_size: int
) -> None:
    found = extracted(folder, tmp_path, PARAMS.model_copy(update={"batch_size": batch_size}))
    close(found["embedding"], embedded(folder, pixels()))


def test_flip_is_the_mean_with_the_mirrored_image(folder: Path, tmp_path: Path) -> None:
    plain = extracted(folder, tmp_path)["embedding"]
    found = extracted(folder, tmp_path, PARAMS.model_copy(update={"flip": True}))["embedding"]
    mirrored = embedded(folder, pixels().flip(3))
    close(found, (plain + mirrored) / 2)
    assert (found - plain).norm() > 0.01 * plain.norm()


def test_bfloat16_writes_float32_near_the_exact(folder: Path, tmp_path: Path) -> None:
    exact = extracted(folder, tmp_path)["embedding"]
    rounded = extracted(folder, tmp_path, PARAMS.model_copy(update={"precision": "bf16"}))
    assert rounded["embedding"].dtype == torch.float32
    assert torch.cosine_similarity(rounded["embedding"], exact).min() > 0.99
    assert not torch.allclose(rounded["embedding"], exact, rtol=1e-3)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_bytes_twice(folder: Path, tmp_path: Path, workers: int) -> None:
    extracted(folder, tmp_path)
    first = (tmp_path / "features.safetensors").read_bytes()
    extracted(folder, tmp_path, workers=workers)
    assert (tmp_path / "features.safetensors").read_bytes() == first


def test_a_full_gpu_is_explained(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Network, "embed", full)
    with pytest.raises(UserError, match=r"(?s)memory is full.*lower extract.batch_size"):
        extracted(folder, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_missing_model_is_named_and_nothing_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "features.safetensors"
    with pytest.raises(UserError, match="missing"):
        extract(tmp_path / "none", folder / "a.zip", folder / "a.csv", PARAMS, out)
    assert not out.exists()


def close(got: Tensor, expected: Tensor) -> None:
    # Convolutions of other batch sizes sum in other orders.
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)
