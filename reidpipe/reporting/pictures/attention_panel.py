"""The attention of Ours beside the baseline's, on a few probes of Table 1's data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from reidpipe.reporting.pictures.attention_maps import looks, overlaid, pair
from reidpipe.reporting.pictures.pictures import DataSet, Shot, data_uri, sheet
from reidpipe.systems.trained import load

Panel = dict[str, Image.Image]
SIZE = 64, 128
"""Width, height in pixels of one picture."""


@dataclass(frozen=True)
class Probe:
    """A probe and one of its true matches."""

    kind: str
    shot: Shot
    match: Shot


@dataclass(frozen=True)
class Shown:
    """A probe's row in the page."""

    kind: str
    shot: Shot
    pictures: dict[str, str]
    """Data URI by what it shows."""


def panels(data: DataSet, probes: Sequence[Probe], models: Mapping[str, Path]) -> list[Panel]:
    """For each probe: the photograph, then each network's Grad-CAM and, for CBAM, its gates."""
    palette = np.array([mpl.colormaps["magma"](level)[:3] for level in range(256)])
    colours = (255 * palette).astype(np.uint8)
    rows: list[Panel] = [
        {"Probe": data.picture(probe.shot).resize(SIZE, Image.Resampling.BICUBIC)}
        for probe in probes
    ]
    for name, path in models.items():
        model, size, _ = load(path)
        for probe, row in zip(probes, rows, strict=True):
            members = probe.shot.member, probe.match.member
            seen = looks(model, pair(data.zipped, members, size))
            row[f"{name}: Grad-CAM"] = overlaid(row["Probe"], seen.grad_cam, colours)
            for stage, gate in seen.gates.items():
                row[f"{name}: gate, {stage}"] = overlaid(row["Probe"], gate, colours)
    return rows


def shown(probes: Sequence[Probe], rows: Sequence[Panel]) -> list[Shown]:
    return [
        Shown(probe.kind, probe.shot, {name: data_uri(picture) for name, picture in row.items()})
        for probe, row in zip(probes, rows, strict=True)
    ]


def drawn(rows: Sequence[Panel]) -> Image.Image:
    return sheet([list(row.values()) for row in rows], SIZE)
