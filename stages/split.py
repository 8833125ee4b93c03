"""Read a packed data set by its benchmark's rules: the manifest, and the counts of the set."""

from pathlib import Path

from reidpipe.datasets.splitting import split
from reidpipe.errors import reported
from reidpipe.evaluation.colours import histogram_map
from reidpipe.files import write_json
from reidpipe.formats import plan


def main() -> None:
    name, entry = plan.asked("split", __doc__)
    files = Path(f"data/raw/{name}.zip"), Path(f"data/splits/{name}.csv")
    counts = split(
        *files,
        entry["layout"],
        use_val=entry["use_val"],
        published=entry["counts"],
        say=lambda remark: print(f"{name}: {remark}"),
    )
    if entry["machine"]:
        counts["histogram_mAP"] = histogram_map(*files, **entry["machine"])
        print(f"{name}: colour histograms alone reach mAP {counts['histogram_mAP']:.1f}")
    write_json(Path(f"reports/data/{name}.json"), {"layout": entry["layout"], **counts})


if __name__ == "__main__":
    with reported():
        main()
