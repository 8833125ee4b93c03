"""Take a data set that one does not have out of the pipeline; everything else still rebuilds."""

import re
from pathlib import Path

from reidpipe.errors import UserError, nearest
from reidpipe.files import write_text

_DATASETS = re.compile(r"(?<=foreach: &datasets \[)[^\]]*(?=\])")
_ARTIFACT = re.compile(r"^ {2}[\w-]+: \{path: runs/([\w-]+)/.*\n", re.MULTILINE)
_RUN = re.compile(r"^ {6}([\w-]+): \{dataset: ([\w-]+),.*\n", re.MULTILINE)
_CURVE = re.compile(
    r"^ {8}(?:reports/cmc|runs)/([\w-]+)(?:\.csv|/history\.csv): .*\n", re.MULTILINE
)
_NO_CURVES = re.compile(r"^ {2}- [\w-]+:\n(?: {6}\w+: .*\n)* {6}y:\n(?! {8})", re.MULTILINE)
_NO_PLOTS = re.compile(r"^(?:#.*\n)*plots:\n(?! )", re.MULTILINE)
_ANCHOR = re.compile(r"&(\w+) (\{(?:\"[^\"]*\"|[^{}])*\}|[^\s,{}]+)")


def leave_out(dataset: str, root: Path = Path()) -> list[Path]:
    """Remove `dataset`, its runs, curves and models from dvc.yaml; return the results removed.

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
    for line in (_RUN, _CURVE, _ARTIFACT):
        kept = line.sub(lambda found: "" if found[1] in runs else found[0], kept)
    gone = "".join(run[0] for run in _RUN.finditer(text) if run[2] == dataset)
    write_text(path, _NO_PLOTS.sub("", _NO_CURVES.sub("", _anchored(kept, gone))))
    results = [root / f"reports/data/{dataset}.json"]
    results += [root / f"reports/metrics/{run}.json" for run in runs]
    results += [root / f"reports/cmc/{run}.csv" for run in runs]
    removed = [result for result in results if result.exists()]
    for result in removed:
        result.unlink()
    return removed


def _anchored(kept: str, gone: str) -> str:
    """A value that was named (&NAME) in lines that are gone is named where it is next used."""
    for name, value in _ANCHOR.findall(gone):
        kept = kept.replace(f"*{name}", f"&{name} {value}", 1)
    return kept
