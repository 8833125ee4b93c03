"""The README's picture of a tracked film: `python docs/tracking/draw.py FILM PICTURE.jpg`.

Three moments of each camera side by side; equal colours and numbers are one person to the tracker.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw

MOMENTS, SCALE, GAP = 3, 2, 8


def moments(tracks: np.ndarray, count: int) -> list[int]:
    """The frames with the most people, one in each of `count` equal parts of the film."""
    frames, people = np.unique(tracks[:, 0], return_counts=True)
    parts = np.array_split(np.arange(len(frames)), count)
    return [int(frames[part[people[part].argmax()]]) for part in parts]


def drawn(folder: Path, frame: int, tracks: np.ndarray) -> Image.Image:
    """A frame with its boxes."""
    image = Image.open(folder / f"img1/{frame:06d}.png").convert("RGB")
    image = image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _, number, x, y, w, h in tracks[tracks[:, 0] == frame]:
        colour = tuple(round(255 * part) for part in colormaps["Dark2"]((number - 1) % 8)[:3])
        left, top, right, bottom = (value * SCALE for value in (x, y, x + w, y + h))
        pen.rectangle((left, top, right, bottom), outline=colour, width=3)
        high = max(0, top - 20)
        pen.rectangle((left, high, left + 10 * len(str(number)) + 10, high + 20), fill=colour)
        pen.text((left + 6, high + 2), str(number), fill="white", font_size=15)
    return image


def main() -> None:
    film, out = Path(sys.argv[1]), Path(sys.argv[2])
    lines = []
    for folder in sorted(path.parent for path in film.glob("*/det")):
        tracks = np.loadtxt(folder / "tracks.txt", delimiter=",", ndmin=2).astype(int)
        frames = [drawn(folder, frame, tracks) for frame in moments(tracks, MOMENTS)]
        lines.append(joined([np.asarray(frame) for frame in frames], axis=1))
    Image.fromarray(joined(lines, axis=0)).save(out, quality=75)


def joined(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Side by side or one below the other, with white between them."""
    sides = [(0, 0), (0, 0), (0, 0)]
    sides[axis] = (0, GAP)
    padded = [np.pad(picture, sides, constant_values=255) for picture in pictures[:-1]]
    return np.concatenate([*padded, pictures[-1]], axis=axis)


if __name__ == "__main__":
    main()
