"""Write Tables 1-4, the model card, figures and the page."""

from pathlib import Path

from reidpipe.errors import reported
from reidpipe.formats import plan
from reidpipe.reporting.report import report


def main() -> None:
    report(Path(), plan.entry("report"))
    print("wrote reports/tables, reports/model_card.md, reports/figures and reports/index.html")


if __name__ == "__main__":
    with reported():
        main()
