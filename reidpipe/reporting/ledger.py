"""The claims ledger and the cost table as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reidpipe.files import write_csv, write_text
from reidpipe.reporting.formats import figure, grid
from reidpipe.reporting.reading.published import Published
from reidpipe.reporting.science.claims import (
    Check,
    failures,
    published_detail,
    rebuilt_detail,
)
from reidpipe.reporting.science.costs import Cost, Costs
from reidpipe.reporting.science.ending import Ending
from reidpipe.reporting.science.tables import Row, Table, rebuilt

READING = (
    "A claim is as good as the worst comparison that it stands on. On the rebuilt numbers one "
    "comparison holds when the paired bootstrap interval of its difference lies above 0, does not "
    "hold when it lies below, and is undecided while it covers 0; between runs of several seeds, "
    "seeds and queries are both resampled. No verdict is given on a run that was not trained to "
    "its end. The intervals are not corrected for the number of comparisons. Numbers that are only "
    "cited cannot be compared with those of another data set."
)
COUNTING = (
    "To embed one image, without the classifiers: at the size of each paper (Ours: ResNet-50, "
    "256x128), and as it is trained here. A multiply-add is two operations; batch norms, poolings, "
    "gates and softmaxes are not counted (torch's FlopCounterMode)."
)
SIZES = "For a difference with a size (C1, C2), the rebuilt verdict is on its sign alone."


def claims_markdown(checks: Sequence[Check], published: Published, warning: str) -> str:
    """The ledger: claim, verdict on the printed and on the rebuilt numbers."""
    rows = [(c.claim.id, c.claim.text, c.published, c.rebuilt) for c in checks]
    header = ("id", "claim", "on the paper's numbers", "on the rebuilt numbers")
    details = []
    for check in checks:
        note = f" {check.claim.note}" if check.claim.note else ""
        _, rest = failures(check)
        more = f"; {len(rest)} more are in claims.csv" if rest else ""
        details.append(
            f"- **{check.claim.id}** paper: {published_detail(check)}.{note}\n"
            f"  Rebuilt: {rebuilt_detail(check) or check.rebuilt}{more}."
        )
    remarks = "\n".join(f"- {remark}" for remark in published.remarks)
    title = "# The paper's claims"
    parts = [
        title,
        *([f"**{warning}**"] if warning else []),
        READING,
        SIZES,
        grid(header, rows, left=len(header)).rstrip(),
    ]
    return "\n\n".join([*parts, "\n".join(details), f"Also seen:\n\n{remarks}\n"])


def write_claims(checks: Sequence[Check], published: Published, warning: str, folder: Path) -> None:
    """`claims.md` for readers; `claims.csv` with one line per comparison."""
    write_text(folder / "claims.md", claims_markdown(checks, published, warning))
    header = ["id", "claim_published", "claim_rebuilt", "table", "column", "higher", "lower"]
    tail = ["published_points", "published_verdict", "points", "low", "high", "seeds", "verdict"]
    write_csv(folder / "claims.csv", header + tail, [row for c in checks for row in _lines(c)])


def _lines(check: Check) -> list[list[object]]:
    return [
        [
            *(check.claim.id, check.published, check.rebuilt),
            *(part.table, part.column, part.higher, part.lower),
            *(part.published, part.published_verdict),
            *(
                [
                    *(
                        f"{v:.2f}"
                        for v in (part.rebuilt.points, part.rebuilt.low, part.rebuilt.high)
                    ),
                    part.rebuilt.seeds,
                ]
                if part.rebuilt
                else [""] * 4
            ),
            part.rebuilt_verdict,
        ]
        for part in check.comparisons
    ]


def write_complexity(tables: Sequence[Table], costs: Costs, folder: Path) -> None:
    """`complexity.{md,csv}`: the cost of each rebuilt row beside its accuracy."""
    title = "# What systems and variants cost"
    notes = [f"**{note}**" if "NOT" in note else note for note in tables[0].notes]
    header = ["Method", "run", *_headed("paper"), *_headed("profile")]
    rows = rebuilt(tables)
    body = [_readable(run, row, costs) for run, row in rows.items()]
    lines = grid([*header, "Rank-1 rebuilt", "mAP rebuilt"], body, left=2)
    write_text(folder / "complexity.md", "\n\n".join([title, *notes, COUNTING, lines]))
    names = ["method", "run", *Cost._fields]
    names += [f"profile_{name}" for name in Cost._fields]
    exact = [_exact(run, row, costs) for run, row in rows.items()]
    write_csv(folder / "complexity.csv", [*names, "rank1", "mAP"], exact)


def write_endings(endings: Mapping[str, Mapping[int, Ending]], folder: Path) -> None:
    """`training.csv`: how each training of each run ended."""
    header = ["run", "seed", "epochs", "accuracy", "fall", "trained_to_the_end"]
    rows = [
        [run, seed, end.epochs, f"{end.accuracy:.2f}", f"{end.fall:.2f}", str(end.reached).lower()]
        for run, ends in endings.items()
        for seed, end in ends.items()
    ]
    write_csv(folder / "training.csv", header, rows)


def _headed(size: str) -> tuple[str, str]:
    return f"params (M), {size}", f"GFLOPs, {size}"


def _readable(run: str, row: Row, costs: Costs) -> list[str]:
    counts = [costs.paper[run], costs.profile[run]]
    sizes = [
        text
        for found in counts
        for text in (f"{found.parameters / 1e6:.3f}", f"{2 * found.multiply_adds / 1e9:.4f}")
    ]
    return [row.method, run, *sizes, figure(row.cells["rank1"]), figure(row.cells["mAP"])]


def _exact(run: str, row: Row, costs: Costs) -> list[object]:
    found = [row.cells[column].rebuilt for column in ("rank1", "mAP")]
    return [row.method, run, *costs.paper[run], *costs.profile[run], *found]
