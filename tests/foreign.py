"""A small split, features of its images as the extract stage writes them, and as others would."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from reidpipe.formats import features
from reidpipe.formats.features import Features

DATA = "market1501"
PEOPLE, CAMERAS, WIDTH = 12, 3, 8


def split() -> pd.DataFrame:
    """Each person once per camera in query and gallery; a training image of each besides."""
    rows = [("bounding_box_train", pid, 1, "train", pid - 1) for pid in range(1, PEOPLE + 1)]
    for folder, subset in (("query", "query"), ("bounding_box_test", "gallery")):
        rows += [
            (folder, pid, camid, subset, -1)
            for pid in range(PEOPLE + 1, 2 * PEOPLE + 1)
            for camid in range(1, CAMERAS + 1)
        ]
    members = [
        f"{folder}/{pid:04d}_c{camid}s1_{number:06d}_00.jpg"
        for number, (folder, pid, camid, *_) in enumerate(rows)
    ]
    table = pd.DataFrame(rows, columns=["folder", "pid", "camid", "subset", "label"])
    table["folder"] = members
    return table.rename(columns={"folder": "member"})


def embeddings() -> Tensor:
    """A row for each of the split, that keeps its value in every kind of float."""
    table = split()
    people = torch.randn(100, WIDTH, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(len(table), WIDTH, generator=torch.Generator().manual_seed(1))
    return (people[torch.tensor(table["pid"].to_numpy())] + 1.2 * noise).bfloat16().float()


def write_run(root: Path, run: str) -> Path:
    """The split, and the features of `run`."""
    table, path = split(), root / f"data/splits/{DATA}.csv"
    path.parent.mkdir(parents=True)
    table.to_csv(path, index=False)
    tested = torch.tensor((table["subset"] != "train").to_numpy())
    pid, camid = (torch.tensor(table[name].to_numpy())[tested] for name in ("pid", "camid"))
    queries = int((table["subset"] == "query").sum())
    found = Features(embeddings()[tested], pid, camid, queries)
    features.write(root / f"runs/{run}/features.safetensors", found, run)
    return root / f"runs/{run}/features.safetensors"


def shuffled() -> tuple[Tensor, list[str]]:
    """All rows of the split with the names of their images, in another order."""
    order = np.random.default_rng(3).permutation(len(split()))
    names = split()["member"].to_numpy()[order].tolist()
    return embeddings()[torch.from_numpy(order)], names


def stems(names: list[str]) -> list[str]:
    return [Path(name).stem for name in names]


def csv_of(names: list[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def in_metadata(path: Path) -> Path:
    matrix, names = shuffled()
    path = path.with_suffix(".safetensors")
    save_file({"features": matrix.half()}, path, {"names": json.dumps(names), "by": "[1, {"})
    return path


def beside_safetensors(path: Path) -> Path:
    matrix, names = shuffled()
    path = path.with_suffix(".safetensors")
    save_file({"x": matrix.bfloat16(), "scores": torch.ones(3)}, path)
    path.with_suffix(".csv").write_text("path,pid\n" + csv_of([f"{name},7" for name in names]))
    return path


def in_npz(path: Path) -> Path:
    matrix, names = shuffled()
    path = path.with_suffix(".npz")
    np.savez_compressed(path, feats=matrix.numpy(), names=np.array(stems(names)), pid=np.zeros(1))
    return path


def in_npz_unnamed(path: Path) -> Path:
    """Of doubles in the other byte order, with names as bytes and of another folder."""
    matrix, names = shuffled()
    path = path.with_suffix(".npz")
    longer = np.array([f"/data/{name}".encode() for name in names])
    np.savez(path, matrix.numpy().astype(">f8"), path=longer, dates=np.zeros(2, "datetime64[s]"))
    return path


def beside_npy(path: Path) -> Path:
    matrix, names = shuffled()
    path = path.with_suffix(".npy")
    np.save(path, matrix.numpy())
    path.with_suffix(".csv").write_text(csv_of(["names", *(Path(name).name for name in names)]))
    return path


def by_labels(path: Path) -> Path:
    """Without names: queries and gallery images keep their order, and take turns."""
    table, path = split(), path.with_suffix(".npz")
    rows = np.argsort(np.random.default_rng(4).random(len(table)), kind="stable")
    for kind in ("train", "query", "gallery"):
        own = (table["subset"] == kind).to_numpy()[rows]
        rows[own] = np.sort(rows[own])
    pid, camid = (table[name].to_numpy()[rows] for name in ("pid", "camid"))
    subset = table["subset"].to_numpy().astype(str)[rows]
    np.savez(path, embedding=embeddings().numpy()[rows], subset=subset, pid=pid, camid=camid)
    return path


LAYOUTS: tuple[Callable[[Path], Path], ...] = (
    in_metadata,
    beside_safetensors,
    in_npz,
    in_npz_unnamed,
    beside_npy,
    by_labels,
)
"""Each writes a file of features at a path without ending, and returns it."""
