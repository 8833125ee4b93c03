"""Who is photographed by which camera, how often, and for which part of the benchmark."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.runtime.streams import stream
from reidpipe.synthetic.framing import Framing

Subset = Literal["train", "val", "query", "gallery"]

_LEAST_VISITS = 3
_STRANGERS_IMAGES = 4
_VAL_EVERY = 12


@dataclass(frozen=True)
class Shot:
    """One photograph to take."""

    number: int
    """Running number in the data set; frames and random streams follow it."""
    subset: Subset
    person: str
    """Key of the person's looks; equal keys are one person."""
    pid: int
    """As in the file name; -1 and 0 are Market-1501's junk and distractors."""
    camid: int
    """From 1."""
    turn: int
    """Of this image in the person's visit to the camera, from 0."""
    framing: Framing = "good"


@dataclass(frozen=True)
class _Visit:
    person: str
    pid: int
    camid: int


def planned(source: SyntheticSource) -> list[Shot]:
    """Every photograph of the data set, in the order in which they are taken."""
    people = source.train_ids + source.test_ids
    pids = _pids(source, people + _strangers(source))
    train = [(f"train/{i}", pids["train"][i]) for i in range(source.train_ids)]
    test = [(f"test/{i}", pids["test"][i]) for i in range(source.test_ids)]
    numbers = count()
    shots = [*_train(source, train, numbers), *_test(source, test, numbers)]
    if source.layout == "market1501":
        shots += _bad_boxes(source, [person for person, _ in test], numbers)
    if source.layout == "dukemtmc":
        shots += _gallery_only(source, pids["stranger"], numbers)
    return shots


def _strangers(source: SyntheticSource) -> int:
    if source.layout != "dukemtmc":
        return 0
    return -(-source.distractors // _STRANGERS_IMAGES)


def _pids(source: SyntheticSource, people: int) -> dict[str, list[int]]:
    """Numbers with gaps, train and test interleaved; MSMT17 counts each part from 0."""
    if source.layout == "msmt17":
        return {"train": list(range(source.train_ids)), "test": list(range(source.test_ids))}
    rng = stream(source.seed, "pids")
    drawn = [int(pid) for pid in rng.permutation(np.arange(1, 2 * people + 2))[:people]]
    test = source.train_ids + source.test_ids
    return {
        "train": sorted(drawn[: source.train_ids]),
        "test": sorted(drawn[source.train_ids : test]),
        "stranger": sorted(drawn[test:]),
    }


def _visits(
    source: SyntheticSource, people: list[tuple[str, int]], purpose: str
) -> Iterator[_Visit]:
    """Three to five different cameras a person, fewer where there are fewer."""
    for index, (person, pid) in enumerate(people):
        rng = stream(source.seed, "visits", purpose, index)
        wanted = min(source.cameras, _LEAST_VISITS + index % 3)
        for camid in sorted(rng.choice(source.cameras, wanted, replace=False)):
            yield _Visit(person, pid, int(camid) + 1)


def _train(
    source: SyntheticSource, people: list[tuple[str, int]], numbers: Iterator[int]
) -> Iterator[Shot]:
    """Two or three images per visit; MSMT17 sets every twelfth apart for validation."""
    for index, visit in enumerate(_visits(source, people, "train")):
        for turn in range(2 + index % 2):
            number = next(numbers)
            is_val = source.layout == "msmt17" and number % _VAL_EVERY == _VAL_EVERY - 1
            subset: Subset = "val" if is_val else "train"
            yield Shot(number, subset, visit.person, visit.pid, visit.camid, turn)


def _test(
    source: SyntheticSource, people: list[tuple[str, int]], numbers: Iterator[int]
) -> Iterator[Shot]:
    """One query and two or three gallery images per visit."""
    for index, visit in enumerate(_visits(source, people, "test")):
        for turn in range(3 + (index % 4 == 0)):
            subset: Subset = "gallery" if turn else "query"
            yield Shot(next(numbers), subset, visit.person, visit.pid, visit.camid, turn)


def _bad_boxes(
    source: SyntheticSource, people: list[str], numbers: Iterator[int]
) -> Iterator[Shot]:
    """Market-1501's gallery: -1 are poor boxes of its people, 0000 false alarms and strangers."""
    rng = stream(source.seed, "bad boxes")
    for index in range(source.distractors):
        camid = int(rng.integers(source.cameras)) + 1
        junk = people[int(rng.integers(len(people)))]
        yield Shot(next(numbers), "gallery", junk, -1, camid, index, "bad")
        stranger, framing = f"stranger/{index}", _FALSE_ALARMS[index % len(_FALSE_ALARMS)]
        yield Shot(next(numbers), "gallery", stranger, 0, camid, index, framing)


_FALSE_ALARMS: tuple[Framing, ...] = ("empty", "bad", "good")


def _gallery_only(
    source: SyntheticSource, pids: list[int], numbers: Iterator[int]
) -> Iterator[Shot]:
    """DukeMTMC-reID's gallery: people whom no query asks for."""
    rng = stream(source.seed, "gallery only")
    camid = 1
    for index in range(source.distractors):
        who, turn = divmod(index, _STRANGERS_IMAGES)
        if turn % 2 == 0:
            camid = int(rng.integers(source.cameras)) + 1
        yield Shot(next(numbers), "gallery", f"stranger/{who}", pids[who], camid, turn)
