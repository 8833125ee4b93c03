"""Take the photographs of a plan and put them into one archive."""

import csv
import io
import os
import signal
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TypeVar

import numpy as np
from PIL import Image

from reidpipe.files import replacing
from reidpipe.formats import zips
from reidpipe.formats.settings.data import SyntheticSource
from reidpipe.runtime.streams import stream
from reidpipe.synthetic.camera import Camera, hung
from reidpipe.synthetic.layouts import lists, member
from reidpipe.synthetic.person import Person, born
from reidpipe.synthetic.picture import Photograph, photographed
from reidpipe.synthetic.plan import Shot, planned
from reidpipe.synthetic.scene import Scene, painted
from reidpipe.synthetic.solids import Floats

T = TypeVar("T")

TRUTH = "truth.csv"
_QUALITY = 90
_SHOTS = 32
"""Photographs that a process takes at a time."""

Seen = tuple[str, str, str]
"""Yaw, occluded and light of a photograph, as `truth.csv` has them."""


@dataclass(frozen=True)
class World:
    """The cameras and people of one data set, each drawn from a random stream of its own."""

    source: SyntheticSource

    @cached_property
    def cameras(self) -> list[tuple[Camera, Scene]]:
        return [self._camera(index) for index in range(self.source.cameras)]

    def _camera(self, index: int) -> tuple[Camera, Scene]:
        camera = hung(stream(self.source.seed, "camera", index))
        return camera, painted(camera, stream(self.source.seed, "scene", index))

    def person(self, key: str) -> Person:
        return born(stream(self.source.seed, "person", key))

    def photograph(self, shot: Shot) -> Photograph:
        """Take one photograph; it depends on no other."""
        where = self.cameras[shot.camid - 1]
        # All images of a visit see the person walk the same way.
        way = stream(self.source.seed, "way", shot.person, shot.camid)
        heading = where[0].heading + np.pi * way.integers(2) + way.normal(0, 0.3)
        rng = stream(self.source.seed, "image", shot.number)
        size = self._size(rng)
        person = self.person(shot.person)
        return photographed(
            person, where, float(heading), self.source, size=size, framing=shot.framing, rng=rng
        )

    def _size(self, rng: np.random.Generator) -> tuple[int, int]:
        """Market-1501's images are all of one size, the others' are as detected."""
        usual = self.source.height
        if self.source.layout == "market1501":
            return usual, usual // 2
        height = int(rng.integers(usual - usual // 8, usual + usual // 5 + 1))
        return height, round(height * rng.uniform(0.42, 0.56))


def generate(path: Path, source: SyntheticSource) -> None:
    """Write the data set `source` as one zip: the benchmark's files, and the truth about each.

    `truth.csv` holds member (as the packed archive and the manifest name it, below the benchmark's
    own folder), pid, camid (from 1), yaw (degrees, 0 faces the camera), occluded (share of the
    person that is hidden) and light (1 is the camera's usual). Equal sources give equal bytes.
    """
    shots = planned(source)
    members = {name: text.encode() for name, text in lists(source, shots).items()}
    truth: list[tuple[str, ...]] = []
    for shot, (jpeg, figures) in zip(shots, _in_turn(_take, source, shots), strict=True):
        name = member(source, shot)
        members[name] = jpeg
        truth.append((name.split("/", 1)[1], str(shot.pid), str(shot.camid), *figures))
    members[TRUTH] = _csv(sorted(truth))
    _write(path, members)


def posed_people(source: SyntheticSource) -> tuple[list[bytes], Floats]:
    """The photographs to train with as JPEGs, and where their joints are, [N, 14, 3]."""
    shots = [shot for shot in planned(source) if shot.subset == "train"]
    jpegs, joints = zip(*_in_turn(_take_posed, source, shots), strict=True)
    return list(jpegs), np.stack(joints)


def _in_turn(
    take: Callable[[SyntheticSource, Shot], T], source: SyntheticSource, shots: list[Shot]
) -> Iterator[T]:
    """The photographs in order, taken by as many processes as there are cores."""
    workers = min(os.cpu_count() or 1, 1 + len(shots) // _SHOTS)
    with ProcessPoolExecutor(workers, initializer=_follow) as pool:
        yield from pool.map(partial(take, source), shots, chunksize=_SHOTS)


def _follow() -> None:
    """Leave Ctrl-C, which reaches this process too, to the one that started it, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Killed, it could not say so: its pool would wait for work for ever.
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _take(source: SyntheticSource, shot: Shot) -> tuple[bytes, Seen]:
    """One photograph as a JPEG, and what `truth.csv` says of it."""
    taken = _world(source).photograph(shot)
    return _jpeg(taken), (f"{taken.yaw:.1f}", f"{taken.occluded:.3f}", f"{taken.light:.3f}")


def _take_posed(source: SyntheticSource, shot: Shot) -> tuple[bytes, Floats]:
    """One photograph as a JPEG, and its joints."""
    taken = _world(source).photograph(shot)
    return _jpeg(taken), taken.joints


@cache
def _world(source: SyntheticSource) -> World:
    """One for each process: hanging the cameras is as much work as many photographs."""
    return World(source)


def _jpeg(photograph: Photograph) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photograph.pixels).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("member", "pid", "camid", "yaw", "occluded", "light"))
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _write(path: Path, members: dict[str, bytes]) -> None:
    """A stored zip with sorted members of one date: JPEGs do not shrink further."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(members):
            archive.writestr(zips.entry(name), members[name])
