"""Who is who before several cameras: `python docs/tracking/track.py FILM MODEL.onnx`.

FILM/CAMERA/{img1,det} are as MOTChallenge has them; FILM/CAMERA/tracks.txt is written. Boxes become
tracklets within a camera, tracklets people across all, by a model of `reidpipe export`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

cameras = sorted(path.parent for path in Path(sys.argv[1]).glob("*/det"))
session = onnxruntime.InferenceSession(sys.argv[2])
about = json.loads(session.get_modelmeta().custom_metadata_map["reidpipe"])
LIMIT = about["threshold"]["distance"]  # of two images; 1 in 1,000 pairs of others is as near
ACROSS = float(sys.argv[3]) if sys.argv[3:] else 2 * LIMIT  # of means, with few to choose from
LOST, SAME = 8, 0.3  # frames until a tracklet ends; overlap of one person's boxes in two frames

# What is seen: camera, frame, x, y, width, height of each box, and its vector.
rows, vectors = [], []
for camera, folder in enumerate(cameras):
    for line in np.loadtxt(folder / "det/det.txt", delimiter=",", ndmin=2).astype(int):
        frame, (x, y, w, h) = line[0], line[2:6]
        image = Image.open(folder / f"img1/{frame:06d}.png").convert("RGB")
        crop = image.crop((x, y, x + w, y + h)).resize(about["image_size"][::-1], Image.BICUBIC)
        (found,) = session.run(None, {"images": np.asarray(crop).transpose(2, 0, 1)[None]})
        rows.append([camera, frame, x, y, w, h])
        vectors.append(found[0] / np.linalg.norm(found))
rows, vectors = np.array(rows), np.array(vectors)


def apart(a, b):
    """Cosine distance of two lists of boxes, each by the mean of its vectors."""
    a, b = vectors[a].sum(0), vectors[b].sum(0)
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def overlap(a, b):
    """Intersection over union of two boxes."""
    (a, size_a), (b, size_b) = ((rows[i, 2:4], rows[i, 4:]) for i in (a, b))
    shared = np.clip(np.minimum(a + size_a, b + size_b) - np.maximum(a, b), 0, None).prod()
    return shared / (size_a.prod() + size_b.prod() - shared)


# Within a camera, from frame to frame: the surest pair of tracklet and box first.
tracklets = []
for camera, frame in np.unique(rows[:, :2], axis=0):
    free = set(np.flatnonzero((rows[:, :2] == (camera, frame)).all(1)).tolist())
    live = [t for t in tracklets if (rows[t[-1], :2] >= (camera, frame - LOST)).all()]
    pairs = [(apart(t, [s]), overlap(t[-1], s), t, s) for t in live for s in free]
    for distance, shared, t, s in sorted(pairs, key=lambda pair: pair[0] - pair[1]):
        if s in free and rows[t[-1], 1] < frame and (shared > SAME or distance < LIMIT):
            t.append(s)
            free.remove(s)
    tracklets += [[s] for s in sorted(free)]

# Across cameras: the nearest two become one, but nobody is at two places at once.
people = list(tracklets)
moments = [{tuple(rows[i, :2]) for i in t} for t in people]
near = {(i, j): apart(people[i], people[j]) for j in range(len(people)) for i in range(j)}
while near and min(near.values()) < ACROSS:
    i, j = min(near, key=near.get)
    if moments[i] & moments[j]:
        del near[i, j]
        continue
    people[i], people[j], moments[i] = people[i] + people[j], [], moments[i] | moments[j]
    near = {(a, b): near[a, b] for a, b in near if j not in (a, b)}
    near |= {(a, b): apart(people[a], people[b]) for a, b in near if i in (a, b)}

number = np.zeros(len(rows), int)
for count, person in enumerate(filter(None, people), start=1):
    number[person] = count
for camera, folder in enumerate(cameras):
    lines = np.column_stack([rows[:, 1], number, rows[:, 2:]])[rows[:, 0] == camera]
    np.savetxt(folder / "tracks.txt", lines, fmt="%d", delimiter=",")
print(f"{len(rows)} boxes, {len(tracklets)} tracklets, {number.max()} people")
