"""A tiny training problem: coloured noise of a few identities, in a zip as the pipeline's."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.streams import stream
from reidpipe.systems import recipe as recipe_of
from tests.training.process import Forks

IDENTITIES, IMAGES = 6, 4


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A zip of 24 images of 6 identities, and its manifest."""
    folder = tmp_path_factory.mktemp("tiny")
    lines = ["member,pid,camid,subset,label"]
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for pid in range(IDENTITIES):
            colour = stream(0, "colour", pid).integers(0, 200, 3)
            for number in range(IMAGES):
                noise = stream(0, "noise", pid, number).integers(0, 56, (32, 16, 3))
                buffer = io.BytesIO()
                Image.fromarray((colour + noise).astype(np.uint8)).save(buffer, "PNG")
                name = f"train/{pid}_{number}.png"
                archive.writestr(name, buffer.getvalue())
                lines.append(f"{name},{pid + 1},{number % 2 + 1},train,{pid}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return folder / "a.zip", folder / "a.csv"


@pytest.fixture
def recipe() -> Recipe:
    """Ours, shrunk to seconds."""
    small = {
        "epochs": 3,
        "lr": 6e-3,
        "warmup_epochs": 2,
        "milestones": (2,),
        "image_size": (32, 16),
        "identities": 3,
        "images": 2,
        "augment": {"flip": 0.5, "pad": 2, "erase": 0.5},
    }
    return recipe_of("ours", small)


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts runs that need no environment of their own."""
    server = Forks()
    yield server
    server.close()
