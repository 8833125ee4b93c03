"""Train or embed as one process or as two: started by test_several_ranks.py, a command a rank.

    python -m tests.training.several FOLDER ARCHIVE MANIFEST DEVICES STEP [dies | interrupts]

Batch norm keeps its statistics: torch synchronises them on GPUs alone.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reidpipe.extraction.embeddings import embed
from reidpipe.formats.settings.extraction import ExtractParams
from reidpipe.formats.settings.training import Recipe
from reidpipe.images.images import Images
from reidpipe.runtime import machine, ranks
from reidpipe.systems import System
from reidpipe.training import position, resume
from reidpipe.training import run as training
from tests.training.process import MACHINE

make, save = training.new_model, resume.State.save


def frozen(system: str, network: Mapping[str, Any], num_classes: int, seed: int) -> System:
    """A network whose batch norms stay in evaluation mode."""
    model = make(system, network, num_classes, seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.train = lambda mode=True, module=module: module  # type: ignore[method-assign]
            module.training = False
    return model


def save_slowly(state: resume.State, *arguments: Any) -> None:
    """Longer than Fabric takes to notice that another rank has ended."""
    time.sleep(7)
    save(state, *arguments)


def main(
    folder: Path, archive: Path, manifest: Path, devices: int, last: int, *, interrupts: bool
) -> None:
    recipe = Recipe.model_validate_json((folder / "recipe.json").read_text())
    run = json.loads((folder / "run.json").read_text())
    training.new_model = frozen
    losses: list[float] = []
    add = position.Position.add

    def noted(self: position.Position, values: dict[str, float]) -> None:
        losses.append(values["loss"])
        add(self, values)
        if len(losses) == last and not interrupts:
            sys.exit(9)
        if len(losses) == last and ranks.rank() == 0:
            resume.State.save = save_slowly  # type: ignore[assignment]
            os.killpg(0, signal.SIGINT)

    position.Position.add = noted  # type: ignore[method-assign]
    # Only the writing rank asks the clock.
    resume.State.due = lambda self, *, epoch_ends: self.writes and not interrupts  # type: ignore[method-assign]
    files: dict[str, Any] = {"model_file": folder / "model", "history_file": folder / "history.csv"}
    training.train(
        "tiny",
        run["system"],
        run["network"],
        recipe,
        0,
        machine=MACHINE.model_copy(update={"devices": devices}),
        archive=archive,
        manifest=manifest,
        start=None,
        **files,
        code="tests",
    )
    model = frozen(run["system"], run["network"], 6, 0).eval()
    members = [line.split(",")[0] for line in manifest.read_text().splitlines()[1:]]
    images = Images(archive, members, recipe.image_size, cache_mb=0)
    device = machine.prepare("cpu", 1)
    embeddings = embed(model, images, ExtractParams(batch_size=5), device, label="tiny")
    if ranks.rank() == 0:
        torch.save(embeddings, folder / "embeddings.pt")
        (folder / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    folder, archive, manifest = map(Path, sys.argv[1:4])
    devices, last = map(int, sys.argv[4:6])
    main(folder, archive, manifest, devices, last, interrupts=sys.argv[6:] == ["interrupts"])
