"""Turn a data set's archive, or the generator's, into one checked and stored zip."""

from pathlib import Path

from reidpipe.datasets.download import download
from reidpipe.errors import reported
from reidpipe.formats import plan


def main() -> None:
    name, entry = plan.asked("download", __doc__)
    for line in download(entry["source"], Path(f"data/raw/{name}.zip")):
        print(line)


if __name__ == "__main__":
    with reported():
        main()
