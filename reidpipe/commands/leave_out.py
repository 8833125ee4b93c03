"""Take a data set that one does not have out of the pipeline; everything else still rebuilds."""

from pathlib import Path

from ruamel.yaml import YAML

from reidpipe.errors import UserError, nearest
from reidpipe.files import replacing, write_text
from reidpipe.formats import runs as runs_file
from reidpipe.formats.runs import RUNS_FILE

PIPELINE = Path("dvc.yaml")


def leave_out(dataset: str, root: Path = Path()) -> list[Path]:
    """Remove `dataset`, its runs and the offer of their models; return the results removed.

    Raises:
        UserError: runs.yaml has no such data set, or would have none left.
    """
    known = runs_file.load(root / RUNS_FILE)
    if dataset not in known.datasets or len(known.datasets) == 1:
        raise UserError(
            f"{dataset!r} cannot be left out",
            where=f"{root / RUNS_FILE}: datasets",
            expected="one of several data sets",
            found=", ".join(known.datasets),
            fix=nearest(dataset, known.datasets),
        )
    gone = [name for name, run in known.runs.items() if run.dataset == dataset]
    _rewrite_runs(root / RUNS_FILE, dataset, gone)
    _drop_artifacts(root / PIPELINE, gone)
    results = [root / f"reports/data/{dataset}.json"]
    results += [root / f"reports/metrics/{run}.json" for run in gone]
    results += [root / f"reports/{kind}/{run}.csv" for run in gone for kind in ("cmc", "queries")]
    removed = [result for result in results if result.exists()]
    for result in removed:
        result.unlink()
    return removed


def _rewrite_runs(path: Path, dataset: str, gone: list[str]) -> None:
    """Take the data set and the runs out; comments and other lines stay as they are."""
    yaml = YAML()
    yaml.width = 1 << 16
    content = yaml.load(path)
    content["datasets"].remove(dataset)
    if dataset in content["cells"]:
        content["cells"].remove(dataset)
    for run in gone:
        del content["runs"][run]
    with replacing(path) as temporary:
        yaml.dump(content, temporary)


def _drop_artifacts(path: Path, gone: list[str]) -> None:
    """Take out the lines of models that are no longer made; what DVC reads is not laid out anew."""
    lines, artifacts = path.read_text(encoding="utf-8").splitlines(), YAML().load(path)["artifacts"]
    dropped = {
        artifacts.lc.key(name)[0]
        for name, artifact in artifacts.items()
        if Path(artifact["path"]).parent.name in gone
    }
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    if len(dropped) == len(artifacts):
        kept = [line for line in kept if not line.startswith("artifacts:")]
    write_text(path, "\n".join(kept) + "\n")
