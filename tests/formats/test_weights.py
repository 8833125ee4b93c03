"""Tensors come back as they were, in equal bytes; what is not ours is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reidpipe.errors import UserError
from reidpipe.formats import weights as checkpoint

ABOUT = {"attention": "eca", "image_size": [64, 32], "circle": {"scale": 64.0, "margin": 0.35}}


def tensors() -> dict[str, torch.Tensor]:
    laid_out = torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
    return {"b": laid_out, "a": torch.tensor(3, dtype=torch.int64), "c": torch.zeros(2, 0)}


def test_round_trip(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", tensors(), ABOUT)
    loaded, about = checkpoint.load(tmp_path / "x")
    assert about == ABOUT
    assert set(loaded) == set(tensors())
    for name, tensor in tensors().items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype


def test_equal_bytes_whatever_the_order_and_the_process(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x", tensors(), ABOUT)
    backwards = dict(reversed(tensors().items()))
    script = (
        "import torch; from pathlib import Path\n"
        "from reidpipe.formats import weights as checkpoint\n"
        "from tests.formats.test_weights import ABOUT, tensors\n"
        "checkpoint.save(Path('y'), tensors(), dict(reversed(ABOUT.items())))"
    )
    checkpoint.save(tmp_path / "z", backwards, ABOUT)
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    expected = (tmp_path / "x").read_bytes()
    assert (tmp_path / "y").read_bytes() == expected
    assert (tmp_path / "z").read_bytes() == expected


def test_missing_truncated_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing"):
        checkpoint.load(tmp_path / "none")
    checkpoint.save(tmp_path / "x", tensors(), ABOUT)
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-1])
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    torch.save({"a": 1}, tmp_path / "pickled")
    (tmp_path / "folder").mkdir()
    for name in ("x", "foreign", "pickled", "folder"):
        with pytest.raises(UserError, match="not a safetensors file that reidpipe wrote") as caught:
            checkpoint.load(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
