"""A training run in a process of its own, to be killed: writes b/model.safetensors and history.

    python -m tests.training.process ARCHIVE MANIFEST RECIPE [--dies-at N] [--room N] [--workers N]
    python -m tests.training.process --forks

The second loads torch once and forks a run for each line that it reads, which spares each of many
runs the seconds of loading. It never computes: a fork of what has computed would hang.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reidpipe.errors import reported
from reidpipe.formats.settings.training import Recipe
from reidpipe.runtime.settings import Cluster, Loading, Section
from reidpipe.training import resume
from reidpipe.training.run import train
from tests import fresh

OURS = {
    "attention": "cbam",
    "classifier": "circle",
    "triplet": True,
    "backbone": "resnet10_x0_5",
}
"""Keyword arguments of the network."""
MACHINE = Cluster(device="cpu", threads=1)


def changed(recipe: Recipe, **changes: Any) -> Recipe:
    """Other values, each where it stands: in the batches, the first phase, the recipe."""
    first, *others = recipe.phases
    parts: list[Section] = []
    for part in (recipe.batches, first):
        own = {key: value for key, value in changes.items() if key in type(part).model_fields}
        parts.append(part.model_copy(update=own))
        changes = {key: value for key, value in changes.items() if key not in own}
    batches, phase = parts
    return recipe.model_copy(update={**changes, "batches": batches, "phases": (phase, *others)})


def arguments(tiny_set: tuple[Path, Path], recipe: Recipe, *options: str) -> list[str]:
    return [*map(str, tiny_set), recipe.model_dump_json(), *options]


def start(tiny_set: tuple[Path, Path], recipe: Recipe, *options: str, **environment: str) -> Any:
    """The process, in the current folder, with an environment of its own."""
    command = [sys.executable, "-m", "tests.training.process"]
    return subprocess.Popen(
        [*command, *arguments(tiny_set, recipe, *options)],
        env=fresh.alike(PYTHONPATH=str(fresh.ROOT), **environment),
    )


class Forks:
    """Starts runs, which are children of a process that has loaded torch."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.training.process", "--forks"],
            cwd=fresh.ROOT,
            env=fresh.alike(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, tiny_set: tuple[Path, Path], recipe: Recipe, *options: str) -> "Forked":
        """The run, in the current folder and a group of its own."""
        folder = str(Path.cwd())
        pid = self.ask("fork", folder, *arguments(tiny_set, recipe, *options))
        assert pid is not None
        return Forked(self, pid, Path(folder, f"{pid}.stderr"))

    def ask(self, *words: object) -> int | None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(words) + "\n")
        self._server.stdin.flush()
        answer: int | None = json.loads(self._server.stdout.readline())
        return answer

    def close(self) -> None:
        self._server.communicate()


class Forked:
    """What tests need of `subprocess.Popen`."""

    def __init__(self, forks: Forks, pid: int, said: Path) -> None:
        self.pid = pid
        self._forks, self._said = forks, said
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative after a signal, or None while it runs."""
        if self._status is None:
            self._status = self._forks.ask("poll", self.pid)
        return self._status

    def wait(self, seconds: float = 300) -> int:
        """The exit status, once it has ended."""
        until = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > until:
                raise TimeoutError(f"the run has not ended in {seconds:.0f} s")
            time.sleep(0.005)
        return status

    def signal(self, number: int, *, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.pid, number)

    def said(self) -> str:
        """What stands in standard error."""
        return self._said.read_text()


def serve() -> None:
    """Answer each line of [order, value, ...]; a fork leaves the loop and trains."""
    for line in sys.stdin:
        order, *values = json.loads(line)
        if order == "poll":
            pid, status = os.waitpid(values[0], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif (answer := os.fork()) == 0:
            os.setpgid(0, 0)
            os.chdir(values[0])
            divert(Path(f"{os.getpid()}.stderr"))
            main(values[1:])
            return
        print(json.dumps(answer), flush=True)  # noqa: T201


def divert(said: Path) -> None:
    """Standard error into a file; nothing comes in, and standard output belongs to the server."""
    with said.open("w") as file, Path(os.devnull).open("r+") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
        os.dup2(file.fileno(), 2)


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


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("recipe", type=Recipe.model_validate_json)
    parser.add_argument("--dies-at", type=int, default=0)
    parser.add_argument("--room", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    args = parser.parse_args(words)
    die_at(args.dies_at)
    if args.room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (args.room, args.room))
    # Every epoch is saved, whatever that costs.
    resume.State.due = lambda self, *, epoch_ends: epoch_ends  # type: ignore[method-assign]
    files: dict[str, Any] = {"archive": args.archive, "manifest": args.manifest}
    outputs = {"model_file": Path("b/model.safetensors"), "history_file": Path("b/history.csv")}
    loading = Loading(workers=args.workers)
    files |= outputs
    train(
        "tiny",
        "ours",
        OURS,
        args.recipe,
        0,
        machine=MACHINE,
        **files,
        start=None,
        code="tests",
        loading=loading,
    )


if __name__ == "__main__":
    with reported():
        serve() if sys.argv[1:] == ["--forks"] else main(sys.argv[1:])
