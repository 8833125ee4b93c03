"""Take a data set that one does not have out of the pipeline; everything else still rebuilds."""

import re
from pathlib import Path

from reidpipe.errors import UserError, nearest
from reidpipe.files import write_text

_DATASETS = re.compile(r"(?<=foreach: &datasets \[)[^\]]*(?=\])")
_ARTIFACT = re.compile(r"^ {2}[\w-]+: \{path: runs/([\w-]+)/.*\n", re.MULTILINE)
_RUN = re.compile(r"^ {6}([\w-]+): \{dataset: ([\w-]+),.*\n", re.MULTILINE)


def leave_out(dataset: str, root: Path = Path()) -> list[Path]:
    """Remove `dataset`, its runs and models from dvc.yaml; return the result files removed.

    Raises:
        UserError: dvc.yaml has no such data set, or would have none left.
    """
    path = root / "dvc.yaml"
    text = path.read_text(encoding="utf-8")
    found = _DATASETS.search(text)
    known = found[0].split(", ") if found else []
    if dataset not in known or len(known) == 1:
        raise UserError(
            f"{dataset!r} cannot be left out",
            where=f"{path}: stages.download.foreach",
            expected="one of several data sets",
            found=", ".join(known),
            fix=nearest(dataset, known),
        )
    runs = [name for name, own in _RUN.findall(text) if own == dataset]
    kept = _DATASETS.sub(", ".join(name for name in known if name != dataset), text)
    kept = _RUN.sub(lambda run: "" if run[2] == dataset else run[0], kept)
    write_text(path, _ARTIFACT.sub(lambda model: "" if model[1] in runs else model[0], kept))
    results = [root / f"reports/data/{dataset}.json"]
    results += [root / f"reports/metrics/{run}.json" for run in runs]
    results += [root / f"reports/cmc/{run}.csv" for run in runs]
    removed = [result for result in results if result.exists()]
    for result in removed:
        result.unlink()
    return removed
