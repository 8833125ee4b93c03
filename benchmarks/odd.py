"""Hostile and odd inputs, each given to every command that takes it: nothing ends in a traceback.

    python -m benchmarks.odd

Prints a Markdown table of what each command said to each input, and a JSON line with the counts. A
traceback, or another outcome than the one that is written here, makes it exit with status 1.
Archives are those of tests/faults, whose sizes and seconds `benchmarks.faults` has.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from reidpipe.runtime.process import settle

settle()

import numpy as np
import torch
from PIL import Image
from torchvision.models import resnet18

from reidpipe.cli import app
from reidpipe.datasets import packing
from reidpipe.errors import reported
from reidpipe.plan.resolve import resolve
from reidpipe.runtime.machine import prepare
from tests.datasets.archives import market, picture, saved, to_folder, to_zip
from tests.faults.test_broken_archives import CASES
from tests.formats.test_foreign_files import WRONG
from tests.trained import photograph, trained

ROOT = Path(__file__).parents[1]
COPIED = ("params.yaml", "runs.yaml", "dvc.yaml", "requirements.lock")
RUN, WHO = "market1501-ours", "who.png"
TAKEN, REFUSED = "taken", "refused"


class Attempt(NamedTuple):
    """One command with one input."""

    what: str
    command: str
    run: Callable[[], object]
    expected: str
    """TAKEN, REFUSED, or "" where either is right."""


def main() -> None:
    start, rows = time.perf_counter(), []
    prepare("cpu", 2, "avx2")  # first of all, as each command does in a process of its own
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        workspace()
        for attempt in attempts():
            outcome, said = tried(attempt.run)
            right = outcome == attempt.expected or (not attempt.expected and outcome != "traceback")
            rows.append((attempt, outcome, right))
            mark = "" if right else f" **not {attempt.expected or 'a message'}**"
            print(
                f"| {attempt.what!a} | {attempt.command} | {outcome}{mark} | {said} |", flush=True
            )
    wrong = [row for row in rows if not row[2]]
    counts = {
        "inputs": len({attempt.what for attempt, *_ in rows}),
        "attempts": len(rows),
        "tracebacks": sum(outcome == "traceback" for _, outcome, _ in rows),
        "otherwise_than_expected": len(wrong),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(counts))
    sys.exit(bool(wrong))


def workspace() -> None:
    """A repository as far as the commands look at it, with one trained run."""
    for name in COPIED:
        shutil.copy(ROOT / name, name)
    for name in ("reidpipe", "stages", "reports"):
        Path(name).symlink_to(ROOT / name)
    trained(Path("runs/market1501-ours/model.safetensors"))
    to_folder(Path("gallery"), {f"{n}.png": photograph(n) for n in range(3)})
    Path(WHO).write_bytes(photograph(1))


def tried(run: Callable[[], object]) -> tuple[str, str]:
    """What came of it, and the first line that was said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with reported():
                run()
            status: object = 0
        except SystemExit as left:
            status = left.code
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            return "traceback", f"{type(error).__name__}: {error}".splitlines()[0][:100]
    said = next(iter((err.getvalue() if status else out.getvalue()).strip().splitlines()), "")
    return TAKEN if status in {0, 1, None} else REFUSED, ascii(said)[1:101]


def attempts() -> Iterator[Attempt]:
    yield from archives()
    yield from photographs()
    yield from parameters()
    yield from runs()
    yield from checkpoints()
    yield from arguments()


def command(*words: str) -> Callable[[], object]:
    return lambda: app(list(words))


def searched(*words: str) -> Callable[[], object]:
    return command("search", RUN, *words)


def archives() -> Iterator[Attempt]:
    """Broken and hostile data sets: download refuses them, a search passes over single files."""
    for name, case in CASES.items():
        place = Path("given", str(abs(hash(name))))
        place.mkdir(parents=True)
        source = case.build(place)
        packed = partial(packing.pack, source, Path("out.zip"), case.layout)
        yield Attempt(name, "download", packed, REFUSED)
        search = searched(str(source), WHO)
        yield Attempt(name, "search", search, "")
        shutil.rmtree(place)


def odd_photographs() -> Iterator[tuple[str, bytes, str, str]]:
    """Content, whether `search` takes it as a query, whether `download` does."""
    image = picture(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    grey16 = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    transparent = Image.merge("RGBA", (*image.split(), Image.new("L", image.size, 0)))
    yield "turned by EXIF, JPEG", saved(image, exif=exif), TAKEN, REFUSED
    yield "turned by EXIF, PNG", saved(image, "PNG", exif), TAKEN, REFUSED
    exif[0x0112] = 99
    yield "an EXIF orientation that is none", saved(image, exif=exif), TAKEN, REFUSED
    yield "16 bits", saved(grey16, "PNG"), TAKEN, REFUSED
    yield "transparent", saved(transparent, "PNG"), TAKEN, TAKEN
    for mode in ("1", "L", "P", "LA", "CMYK"):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        yield f"mode {mode}", saved(image.convert(mode), kind), TAKEN, TAKEN
    yield "one pixel", saved(picture(1, (1, 1)), "PNG"), TAKEN, TAKEN
    yield "3,000 x 1", saved(picture(1, (3000, 1)), "PNG"), TAKEN, TAKEN
    for kind in ("WEBP", "GIF", "BMP", "TIFF"):
        yield kind, saved(image, kind), REFUSED, REFUSED
    yield "enormous", saved(Image.new("1", (1 << 13, 1 << 12)), "PNG"), REFUSED, REFUSED
    yield "empty", b"", REFUSED, REFUSED
    yield "cut short", saved(image)[:-100], REFUSED, REFUSED
    yield "a page", b"<!doctype html>", REFUSED, REFUSED
    yield "noise", bytes(range(256)) * 8, REFUSED, REFUSED


def photographs() -> Iterator[Attempt]:
    for what, content, asked, packed in odd_photographs():
        shutil.rmtree("odd", ignore_errors=True)
        to_folder(Path("odd"), {"x.png": content, "fine.png": photograph(2)})
        # Each is tried before the next is made.
        yield Attempt(what, "search QUERY", searched("gallery", "odd/x.png"), asked)
        yield Attempt(what, "search GALLERY", searched("odd", WHO), TAKEN)
        strict = searched("odd", WHO, "--strict")
        yield Attempt(what, "search --strict", strict, asked)
        name = "bounding_box_train/0002_c1s1_9.png"
        zipped = to_zip(Path("odd.zip"), market() | {name: content})
        yield Attempt(
            what,
            "download",
            partial(packing.pack, zipped, Path("out.zip"), "market1501"),
            packed,
        )
    for what, name in (
        ("a name that is not UTF-8", os.fsdecode(b"latin\xe9.png")),
        ("a name with brackets", "cam[left] [/] [red]x.png"),
        ("a name with a line end", "a\nb.png"),
        ("a name with an escape", "a\x1b[31m.png"),
        ("an emoji", "\N{BUST IN SILHOUETTE}.png"),
        ("a name of 250 bytes", "a" * 246 + ".png"),
        ("a name in NFD", "Zoe\u0308.png"),
    ):
        shutil.rmtree("odd", ignore_errors=True)
        to_folder(Path("odd"), {name: photograph(1), "fine.png": photograph(2)})
        for form in ("", "--csv", "--json"):
            words = ["search", "market1501-ours", "odd", WHO, *filter(None, [form])]
            yield Attempt(what, " ".join(["search", form]), command(*words), TAKEN)
    shutil.rmtree("odd")
    Path("odd").mkdir()
    yield Attempt("an empty gallery", "search", searched("odd", WHO), REFUSED)
    for name, target in (("nowhere.png", "gone"), ("circle.png", "circle.png")):
        Path("odd", name).symlink_to(target)
    os.mkfifo("odd/pipe.png")
    yield Attempt("links and pipes alone", "search", searched("odd", WHO), REFUSED)


def edited(file: str, old: str, new: str) -> Callable[[], object]:
    """Resolve with `old` in `file` replaced, then put it back."""

    def run() -> None:
        path = Path(file)
        before = path.read_text()
        changed = before.replace(old, new, 1)
        if changed == before:
            raise LookupError(f"{file} has no {old!r}")
        path.write_text(changed)
        try:
            resolve()
        finally:
            path.write_text(before)

    return run


def parameters() -> Iterator[Attempt]:
    for new in (
        *("seed: -1", "seed: 1.5", "seed: true", "seed: '0'", "seed:", "seed: 1e99", "sed: 0"),
        *("seed: [0]", "seed: {a: 1}", "seed: &a 0", "seed: *a", "seed: !!python/object:os.x 1"),
        *("seed: 0\nseed: 1", "seed: \x07", "\tseed: 0", "seed: .nan", "seed: 0x10", "- seed"),
    ):
        taken = TAKEN if new in {"seed: &a 0", "seed: 0x10"} else REFUSED
        yield Attempt(
            f"params.yaml: {new}", "resolve", edited("params.yaml", "seed: 0 ", f"{new} "), taken
        )
    for new in ("cban", "CBAM", "../eca", "cbam.py", "''", "null", "[eca]", "none", "eca"):
        taken = TAKEN if new in {"none", "eca"} else REFUSED
        change = edited("params.yaml", "attention: cbam ", f"attention: {new} ")
        yield Attempt(f"params.yaml: attention: {new}", "resolve", change, taken)
    for new in (
        "epochs: 0",
        "epochs: -3",
        "epochs: many",
        "epochs: 8.5",
        "epoch: 8",
        "epochs: 99999999999999999999",
    ):
        yield Attempt(
            f"params.yaml: {new}",
            "resolve",
            edited("params.yaml", "epochs: 80 ", f"{new} "),
            TAKEN if new.endswith("99") else REFUSED,
        )


def runs() -> Iterator[Attempt]:
    own = "dataset: market1501, start: data/weights/random.safetensors"
    line = f"  market1501-ours: {{{own}}}"
    for new in (
        f"  my.run: {{{own}}}",
        f"  2024: {{{own}}}",
        f"  my run: {{{own}}}",
        "  market1501-ours: {dataset: market1051, start: data/weights/random.safetensors}",
        "  market1501-ours: {dataset: market1501, start: data/weights/resnet.pth}",
        "  market1501-ours: {dataset: market1501}",
        "  market1501-ours: {}",
        "  market1501-ours:",
        "  market1501-ours: *nothing",
        "  market1501-ours: {<<: *base, dataset: market1501}",
        "  market1501-ours: [1, 2]",
        f"  market1501-ours: {{{own}, epochs: 3}}",
        f"  market1501-ours: {{{own}, train: {{epochs: 0}}}}",
        f"  market1501-ours: {{{own}, attention: cban}}",
        f"{line}\n{line}",
    ):
        yield Attempt(
            f"runs.yaml: {new.strip()}",
            "resolve",
            edited("runs.yaml", f"{line}\n", f"{new}\n"),
            REFUSED,
        )
    for dataset in ("market1051", "", "[market1501]", "market1501 dukemtmc", "../market1501"):
        yield Attempt(
            f"a data set {dataset!r}", "leave-out", command("leave-out", dataset), REFUSED
        )


class Calls:
    """What a pickle would run if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


def checkpoints() -> Iterator[Attempt]:
    """Files that are no network of anybody's, and words that do not go with one that is."""
    network = resnet18(num_classes=3)
    state = network.state_dict()
    torch.save(state, "fine.pth")
    whole = Path("fine.pth").read_bytes()
    contents: dict[str, object] = {
        "a pickle that runs something": Calls(),
        "one inside a state dict": {**state, "x": Calls()},
        "a module": network,
        "a list": [*state.values()],
        "a number": 3,
        "no tensors": {"state_dict": {}},
        "tensors within tensors": {"state_dict": {"state_dict": state}},
        "nobody's names": {f"x.{name}": value for name, value in state.items()},
        "names that are numbers": dict(enumerate(state.values())),
        "half of the tensors": dict([*state.items()][:40]),
        "one number each": {name: value.flatten()[:1] for name, value in state.items()},
        "whole numbers": {name: value.long() for name, value in state.items()},
        "empty tensors": {name: value.new_empty(0) for name, value in state.items()},
        "another head's": {**state, "fc.weight": torch.ones(3, 7)},
        "a head of nobody": {**state, "fc.weight": torch.ones(0, 512), "fc.bias": torch.ones(0)},
        "NaN": {**state, "conv1.weight": state["conv1.weight"] * np.nan},
        "complex numbers": {**state, "conv1.weight": state["conv1.weight"] * 1j},
        "sparse": {**state, "fc.weight": state["fc.weight"].to_sparse()},
    }
    for what, content in contents.items():
        torch.save(content, "x.pth")
        adopted = command("adopt", "x.pth", "out.safetensors")
        yield Attempt(f"a checkpoint: {what}", "adopt", adopted, REFUSED)
    for what, name, data in (
        *((f"{len(part)} bytes", "x.pth", part) for part in (b"", whole[:9], whole[:-9])),
        ("noise", "x.pth", bytes(range(256)) * 8),
        *((f"torch's file called {kind}", f"x.{kind}", whole) for kind in ("safetensors", "onnx")),
        ("an enormous header", "x.safetensors", b"\xff" * 8),
    ):
        Path(name).write_bytes(data)
        for verb, more in (
            ("adopt", ("out.safetensors",)),
            ("evaluate", ()),
            ("search", ("gallery", WHO)),
        ):
            if verb == "adopt" or name.endswith(".safetensors"):
                yield Attempt(f"a checkpoint: {what}", verb, command(verb, name, *more), REFUSED)
    for words in (
        ("fine.pth", "out.pth"),
        ("fine.pth", "gallery"),
        ("fine.pth", "who.png/out.safetensors"),
        ("fine.pth", "a" * 300 + ".safetensors"),
        ("gallery", "out.safetensors"),
        ("none.pth", "out.safetensors"),
        ("fine.pth", "out.safetensors", "--height", "0"),
        ("fine.pth", "out.safetensors", "--width", "x"),
        ("fine.pth", "out.safetensors", "--last-stride", "3"),
    ):
        yield Attempt(f"words: {' '.join(words)[:60]}", "adopt", command("adopt", *words), REFUSED)
    fine = command("adopt", "fine.pth", "fine.safetensors", "--height", "64", "--width", "32")
    yield Attempt("a checkpoint of torchvision", "adopt", fine, TAKEN)
    found = command("search", "fine.safetensors", "gallery", WHO)
    yield Attempt("a checkpoint of torchvision", "search", found, TAKEN)
    for words in (
        ("fine.safetensors", "x.onnx"),
        ("fine.safetensors", "x.onnx", "--data", "market1051"),
        (RUN, "x.onnx", "--for", "openvino"),
        (RUN, "x.onnx", "--for", "tensorrt"),
        (RUN, "x.onnx", "--input", "bytes"),
        (RUN, "x.onnx", "--batch", "-1"),
        (RUN, "x.engine"),
    ):
        yield Attempt(f"words: {' '.join(words)}", "export", command("export", *words), REFUSED)
    if Path("unpickled").exists():
        sys.exit("a pickle of a checkpoint was run")


def arguments() -> Iterator[Attempt]:
    yield from names()
    yield from features()
    yield from options()
    yield from folders()


def names() -> Iterator[Attempt]:
    """Runs, revisions, images and folders that are none."""
    search = "search"
    for run in ("market1501-our", "", "..", "a/b", "[red]", "\udce9", "a" * 300):
        for words in (
            (search, run, "gallery", WHO),
            ("export", run, "a.onnx"),
            ("compare", run, RUN),
        ):
            yield Attempt(f"a run {run!a}", words[0], command(*words), REFUSED)
    for revision in ("nowhere:", "HEAD~99999:", "-x:", ":", "::", "exp-none:"):
        yield Attempt(
            f"a revision {revision!r}",
            "compare",
            command("compare", f"{revision}{RUN}", RUN),
            REFUSED,
        )
        yield Attempt(
            f"a revision {revision!r}", "check", command("check", "--against", revision), REFUSED
        )
    for query in ("", "none.png", ".", "gallery", "/", "a\0b", "~/x.png", "who.png/x", "a" * 300):
        yield Attempt(f"a query {query!a}", search, searched("gallery", query), REFUSED)
    for gallery in ("", "none", WHO, "who.png/x", "galery", "a" * 300, "params.yaml"):
        # An empty name is this folder.
        expected = REFUSED if gallery else TAKEN
        yield Attempt(f"a gallery {gallery!a}", search, searched(gallery, WHO), expected)


def features() -> Iterator[Attempt]:
    """Arrays that are no features with names; and wrong words beside some that are."""
    judge = partial(command, "evaluate", "x.npz")
    for what, (arrays, _) in WRONG.items():
        np.savez("x.npz", **arrays)
        yield Attempt(f"features: {what}", "evaluate", judge("--data", "market1501"), REFUSED)
    np.savez("x.npz", feats=np.eye(4), pid=[1, 2, 1, 2], camid=np.arange(4), subset=[0, 0, 1, 1])
    for data in ("market1051", "../market1501"):
        yield Attempt(f"features of {data}", "evaluate", judge("--data", data), REFUSED)
    for name in ("..", "a/b", "a" * 300):
        yield Attempt(f"a result {name}", "evaluate", judge("--name", name), REFUSED)


def options() -> Iterator[Attempt]:
    """Files that cannot be written, and values of options."""
    search = "search"
    for picture_file in ("who.png/x.png", "gallery.gif", "a" * 251 + ".png", "", "gallery"):
        yield Attempt(
            f"a picture {picture_file!a}",
            search,
            searched("gallery", WHO, "--picture", picture_file),
            REFUSED,
        )
    for more in (
        ("--top", "0"),
        ("--top", "-1"),
        ("--top", "x"),
        ("--fpr", "2"),
        ("--csv", "--json"),
    ):
        yield Attempt(" ".join(more), search, searched("gallery", WHO, *more), REFUSED)
    yield Attempt("--top 999999", search, searched("gallery", WHO, "--top", "999999"), TAKEN)
    for file in ("", "gallery", "who.png/a.onnx", "a" * 300):
        yield Attempt(f"a target {file!a}", "export", command("export", RUN, file), REFUSED)
    for seeds in ("a", "4-0", "-1", "1,,2", "0-99999", "1.5"):
        yield Attempt(f"seeds {seeds!r}", "seeds", command("seeds", "--train", seeds), REFUSED)
    yield Attempt("a profile 'papr'", "doctor", command("doctor", "--profile", "papr"), REFUSED)


def folders() -> Iterator[Attempt]:
    """Each command where the repository is not."""
    known = ("search", "doctor", "compare", "evaluate", "seeds", "check", "export", "leave-out")
    for name in (*known, "nothing"):
        given = {"search": (RUN, "gallery", WHO), "compare": (RUN, RUN), "export": (RUN, "x.onnx")}
        given |= {"evaluate": ("../x.npz",)}
        more = given.get(name, ("market1501",) if name == "leave-out" else ())

        def elsewhere(name: str = name, more: tuple[str, ...] = more) -> None:
            Path("sub").mkdir(exist_ok=True)
            with contextlib.chdir("sub"):
                app([name, *more])

        yield Attempt("another folder", name, elsewhere, REFUSED)


if __name__ == "__main__":
    main()
