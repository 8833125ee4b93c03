"""A training run in a process of its own, to be killed: writes b/model.safetensors and history."""

import argparse
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reidpipe.errors import reported
from reidpipe.params import LoadingParams, TrainParams
from reidpipe.training import resume
from reidpipe.training.run import Run, train
from tests import fresh


def start(
    tiny_set: tuple[Path, Path], recipe: TrainParams, *options: str, **environment: str
) -> Any:
    """The process, in the current folder, once it is about to train."""
    arguments = [*map(str, tiny_set), recipe.model_dump_json(by_alias=True), *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.training.process", *arguments],
        process_group=0,
        env=fresh.environment(PYTHONPATH=str(fresh.ROOT), **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()
    return process


def die_at(count: int) -> None:
    """Die, as by SIGKILL, before the `count`th of all changes to files; a write dies half done."""
    left = count

    def deadly(owner: Any, name: str, half: Callable[..., None] = lambda *_: None) -> None:
        real = getattr(owner, name)

        def dying(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                half(*arguments)
                os._exit(9)
            return real(*arguments, **named)

        setattr(owner, name, dying)

    def write_half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])

    deadly(Path, "write_bytes", write_half)
    deadly(Path, "replace")
    deadly(os, "fsync")
    deadly(shutil, "rmtree")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("recipe", type=TrainParams.model_validate_json)
    parser.add_argument("--dies-at", type=int, default=0)
    parser.add_argument("--room", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    args = parser.parse_args()
    die_at(args.dies_at)
    if args.room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (args.room, args.room))
    # Every epoch is saved, whatever that costs.
    resume.State.due = lambda self, *, epoch_ends: epoch_ends  # type: ignore[method-assign]
    print("ready", flush=True)  # noqa: T201
    files = {"archive": args.archive, "manifest": args.manifest}
    outputs = {"model_file": Path("b/model.safetensors"), "history_file": Path("b/history.csv")}
    ours = Run("tiny", attention="cbam", classifier="circle", triplet=True)
    loading = LoadingParams(workers=args.workers)
    train(ours, args.recipe, 0, **files, weights=None, **outputs, loading=loading)


if __name__ == "__main__":
    with reported():
        main()
