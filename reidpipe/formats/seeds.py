"""What the queries of a run scored over trainings with several seeds: `reports/seeds/RUN.csv`.

    # {"profile": "embedded", "trained": "4f0c...", "endings": {"0": [80, 98.1, 3.2], ...}}
    query,ap_0,inp_0,first_0,ap_1,...

The first line says what they were trained with: the profile, and a hash of everything else that
decides a result, the seed aside. And how each training ended: epochs, training accuracy of the last
one, and what the last third at the full rate still brought (reporting/science/ending.py).
"""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reidpipe.errors import UserError
from reidpipe.files import write_text
from reidpipe.formats.queries import SCORES, Floats, Queries, of_columns, table

FOLDER = Path("reports/seeds")
_MARK = "# "
_SEED = re.compile(r"^ap_(\d+)$")


@dataclass(frozen=True)
class Seeds:
    """One run, trained several times."""

    profile: str
    trained: str
    """Hash of what decides the results besides the seed."""
    by_seed: Mapping[int, Queries]
    """All with the same queries, by ascending seed."""
    endings: Mapping[int, tuple[int, float, float]] = field(default_factory=dict)
    """Epochs, accuracy and fall in percent, by seed; tables from before they were have none."""

    def matrix(self) -> Floats:
        """Seeds x queries x METRICS, in percent."""
        return np.stack([queries.matrix() for queries in self.by_seed.values()])


def write(path: Path, seeds: Seeds) -> None:
    """Write a line per query, three columns per seed."""
    ends = {str(seed): list(end) for seed, end in sorted(seeds.endings.items())}
    about = {"profile": seeds.profile, "trained": seeds.trained, "endings": ends}
    header, columns = ["query"], [[str(row) for row in _query(seeds).tolist()]]
    for seed, queries in sorted(seeds.by_seed.items()):
        header += [f"{name}_{seed}" for name in SCORES]
        columns += queries.columns()
    lines = [header, *zip(*columns, strict=True)]
    text = "".join(f"{','.join(line)}\n" for line in lines)
    write_text(path, f"{_MARK}{json.dumps(about)}\n{text}")


def read(path: Path) -> Seeds:
    """The table in a file; raises what `parse` raises."""
    return parse(path.read_bytes(), path)


def parse(content: bytes, where: object) -> Seeds:
    """What `write` wrote.

    Raises:
        UserError: it is something else.
    """
    try:
        mark, _, text = content.decode().partition("\n")
        about = json.loads(mark.removeprefix(_MARK))
        header = text.partition("\n")[0].split(",")
        found = [int(match[1]) for name in header if (match := _SEED.match(name))]
        columns = table(text, ["query", *(f"{n}_{seed}" for seed in found for n in SCORES)])
        by_seed = {seed: of_columns(columns, f"_{seed}") for seed in sorted(found)}
        ends = {
            int(seed): (int(epochs), float(accuracy), float(fall))
            for seed, (epochs, accuracy, fall) in about.get("endings", {}).items()
        }
        return Seeds(str(about["profile"]), str(about["trained"]), by_seed, ends)
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise UserError(
            "not a table of seeds",
            where=where,
            expected="a line of JSON, then query and ap_S, inp_S, first_S for every seed S",
            found=error,
            fix="delete it; reidpipe seeds --train writes it again",
        ) from None


def is_table(content: bytes) -> bool:
    """Whether a file of FOLDER is one of these: the others are tables of one metric."""
    return content.startswith(_MARK.encode())


def _query(seeds: Seeds) -> np.ndarray:
    first, *others = seeds.by_seed.values()
    if any(not np.array_equal(first.query, other.query) for other in others):
        raise ValueError("the seeds of a run have different queries")
    return first.query
