"""Curves of the variants of Table 1: CMC and training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, ScalarFormatter

from reidpipe.files import write_csv
from reidpipe.reporting.pictures.drawing import (
    DASHES,
    SERIES,
    Drawing,
    canvas,
    drawing,
    look,
)
from reidpipe.reporting.reading.histories import History
from reidpipe.reporting.reading.results import Result
from reidpipe.reporting.science.tables import Row, Table

RANKS = 20
WIDE = 6.2, 3.8
"""Inches: 595 x 365 pixels at full size, still legible on a phone."""
COLUMNS = ("epoch", "loss", "accuracy")


def styles(rows: Mapping[str, Row]) -> list[dict[str, Any]]:
    """Baseline dashed, Ours heavy; more rows than colours go round again."""
    return [
        {
            "color": SERIES[i % len(SERIES)],
            "linestyle": DASHES[i % len(DASHES)],
            "linewidth": 2.6 if row.method == "Ours" else 1.5,
            "label": row.method,
        }
        for i, row in enumerate(rows.values())
    ]


def cmc_curves(table: Table, results: Mapping[str, Result]) -> Drawing:
    """Share of queries with a true match within the first r images, r = 1..20."""
    rows = table.rebuilt
    with look():
        figure, (axes,) = canvas(*WIDE)
        for run, style in zip(rows, styles(rows), strict=True):
            curve = results[run].cmc[:RANKS]
            axes.plot(np.arange(1, len(curve) + 1), curve, **style)
        axes.set(xlabel="rank", ylabel="queries matched (%)", xlim=(1, RANKS))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="lower right", ncols=2)
        spoken = [f"{row.method} {results[run].cmc[0]:.2f}" for run, row in rows.items()]
        return drawing(
            "cmc",
            figure,
            f"Cumulative matching curves. At rank 1, in percent: {', '.join(spoken)}.",
            "CMC of Table 1's variants: the share of queries whose nearest true match is within "
            f"the first r gallery images, r = 1 to {RANKS}.",
        )


def write_curves(
    table: Table, results: Mapping[str, Result], histories: Mapping[str, History], folder: Path
) -> None:
    """`cmc.csv` and `history.csv`: the curves of all rebuilt runs one below the other, for DVC."""
    ranks = [
        (run, rank, value)
        for run in table.rebuilt
        for rank, value in enumerate(results[run].cmc.tolist(), start=1)
    ]
    write_csv(folder / "cmc.csv", ("run", "rank", "cmc"), ranks)
    epochs = [
        (run, int(epoch), *values)
        for run in table.rebuilt
        for epoch, *values in zip(*(histories[run][name] for name in COLUMNS), strict=True)
    ]
    write_csv(folder / "history.csv", ("run", *COLUMNS), epochs)


def training_curves(table: Table, histories: Mapping[str, History]) -> Drawing:
    """Loss and training accuracy by epoch."""
    rows = table.rebuilt
    with look():
        figure, (left, right) = canvas(WIDE[0], 3.2, columns=2)
        for run, style in zip(rows, styles(rows), strict=True):
            history = histories[run]
            left.plot(history["epoch"], history["loss"], **style)
            right.plot(history["epoch"], history["accuracy"], **style)
        left.set(title="Loss", xlabel="epoch", yscale="log")
        right.set(title="Training accuracy (%)", xlabel="epoch")
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        left.yaxis.set_major_formatter(ScalarFormatter())
        left.yaxis.set_minor_locator(NullLocator())
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        last = [f"{row.method} {histories[run]['loss'][-1]:.2f}" for run, row in rows.items()]
        return drawing(
            "training",
            figure,
            f"Training loss and accuracy by epoch. Final loss: {', '.join(last)}.",
            "Training of Table 1's variants. Losses of different kinds (with or without triplet, "
            "linear or circle classifier) are not on one scale: compare shapes, not heights.",
        )
