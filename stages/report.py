"""Write Tables 1-4, figures and the page; print the tables."""

from pathlib import Path

from reidpipe import params
from reidpipe.errors import reported
from reidpipe.reporting.formats import markdown
from reidpipe.reporting.report import report


def main() -> None:
    for table in report(Path(), params.load()):
        print(markdown(table))


if __name__ == "__main__":
    with reported():
        main()
