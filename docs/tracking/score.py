"""How often a person's number changes: `python docs/tracking/score.py FILM`.

Compares FILM/CAMERA/tracks.txt with gt/gt.txt, whose boxes are the same. A switch is a box of a
person with another number than that person's box before, cameras one after the other.
"""

import sys
from pathlib import Path

import numpy as np


def switches(film: Path) -> tuple[int, int, int]:
    """Switches within cameras, switches from camera to camera, and people."""
    within, across, before = 0, 0, {}
    for folder in sorted(path.parent for path in film.glob("*/gt")):
        truth, tracks = (
            np.loadtxt(folder / name, delimiter=",", ndmin=2).astype(int)[:, :6]
            for name in ("gt/gt.txt", "tracks.txt")
        )
        boxes = {tuple(row[[0, 2, 3, 4, 5]]): int(row[1]) for row in tracks}
        here = set()
        for row in truth[np.argsort(truth[:, 0], kind="stable")]:
            person, number = int(row[1]), boxes[tuple(row[[0, 2, 3, 4, 5]])]
            if before.get(person, number) != number:
                within += person in here
                across += person not in here
            before[person] = number
            here.add(person)
    return within, across, len(before)


if __name__ == "__main__":
    inside, between, people = switches(Path(sys.argv[1]))
    print(
        f"{people} people; numbers changed {inside} times within a camera, {between} between them"
    )
