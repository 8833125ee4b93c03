"""Two cameras, synthetic people who walk past both: `python docs/tracking/film.py FILM`.

Writes FILM/CAMERA/img1/000001.png and on, det/det.txt (boxes, as a detector would give them) and
gt/gt.txt (the same with the people's numbers), in the layout of MOTChallenge.
"""

import argparse
import io
from pathlib import Path

from PIL import Image

from reidpipe.errors import reported
from reidpipe.files import write_bytes, write_text
from reidpipe.synthetic.video import filmed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    for name, usual in (("cameras", 2), ("people", 8), ("frames", 120), ("seed", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    for camera in range(asked.cameras):
        folder, found, truth = asked.film / f"camera{camera + 1}", [], []
        film = filmed(camera, people=asked.people, frames=asked.frames, seed=asked.seed)
        for number, frame in enumerate(film, start=1):
            picture = io.BytesIO()
            Image.fromarray(frame.pixels).save(picture, "PNG")
            write_bytes(folder / f"img1/{number:06d}.png", picture.getvalue())
            for one in frame.detections:
                box = f"{one.x},{one.y},{one.width},{one.height}"
                found.append(f"{number},-1,{box},1\n")
                truth.append(f"{number},{one.person + 1},{box},1,1,1\n")
        write_text(folder / "det/det.txt", "".join(found))
        write_text(folder / "gt/gt.txt", "".join(truth))
        print(f"{folder}: {asked.frames} frames, {len(found)} boxes")


if __name__ == "__main__":
    with reported():
        main()
