"""Write the cell of Auto-ReID's network for the runs of one data set."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.formats.runs import cell_file
from reidpipe.training.cell_search import cell


def main() -> None:
    dataset, entry = plan.asked("cell", __doc__)
    cell(entry, dataset, Path(cell_file(dataset)))


if __name__ == "__main__":
    with reported():
        main()
