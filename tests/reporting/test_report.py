"""The whole stage: what it writes, the same bytes twice, and photographs only where allowed."""

import csv
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reidpipe.errors import UserError
from reidpipe.files import digest
from reidpipe.params import Params
from reidpipe.reporting.provenance import params_hash
from reidpipe.reporting.report import report

WRITTEN = ("reports/tables", "reports/figures", "reports/index.html")
TABLES = [f"table{number}.{end}" for number in range(1, 5) for end in ("csv", "md", "tex")]


def digests(root: Path) -> dict[str, str]:
    files = [path for name in WRITTEN for path in sorted([root / name, *(root / name).rglob("*")])]
    return {str(path.relative_to(root)): digest(path) for path in files if path.is_file()}


def test_tables_figures_and_page(reported: Path) -> None:
    names = sorted(path.name for path in (reported / "reports/tables").iterdir())
    extra = ["claims.csv", "claims.md", "complexity.csv", "complexity.md"]
    assert names == sorted(TABLES + extra)
    figures = {path.name for path in (reported / "reports/figures").iterdir()}
    assert {"cmc.svg", "training.svg", "cost.svg", "embedding.svg", "attention.png"} <= figures
    assert {"ranks-market1501-ours.png", "contact-msmt17.png", "conditions.svg"} <= figures


def test_the_same_inputs_give_the_same_bytes(
    repository: Path, reported: Path, params: Params, tmp_path: Path
) -> None:
    again = tmp_path / "another folder"
    shutil.copytree(repository, again)
    report(again, params)
    assert digests(again) == digests(reported)


def test_complexity_has_all_eight_variants(reported: Path) -> None:
    with (reported / "reports/tables/complexity.csv").open() as file:
        lines = {line["run"]: line for line in csv.DictReader(file)}
    assert len(lines) == 8
    plain, ours = lines["market1501-baseline"], lines["market1501-ours"]
    assert int(ours["resnet50_parameters"]) > int(plain["resnet50_parameters"])
    assert int(ours["profile_flops"]) > int(plain["profile_flops"])
    assert lines["market1501-tri"]["profile_flops"] == plain["profile_flops"]


class Resources(HTMLParser):
    """Everything that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "srcset", "data", "action", "poster") + (() if tag == "a" else ("href",))
        self.found += [value or "" for name, value in attrs if name in names]


def test_the_page_is_self_contained(reported: Path) -> None:
    text = (reported / "reports/index.html").read_text()
    assert len(text.encode()) < 8_000_000
    resources = Resources()
    resources.feed(text)
    assert resources.found
    assert all(value.startswith(("data:", "#")) for value in resources.found)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert str(reported) not in text


def test_no_photograph_where_they_are_not_allowed(
    repository: Path, params: Params, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    private = params.embedded.model_copy(
        update={"report": params.embedded.report.model_copy(update={"images": False})}
    )
    report(root, params.model_copy(update={"embedded": private}))
    text = (root / "reports/index.html").read_text()
    assert "data:image" not in text
    assert "Photographs are left out" in text
    assert not list((root / "reports/figures").glob("*.png"))
    assert 'class="tile correct"' in text


def test_untrusted_names_are_escaped(repository: Path, params: Params, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    path = root / "reports/published.yaml"
    path.write_text(path.read_text().replace("SVDNet", "<script>alert(1)</script>"))
    report(root, params)
    text = (root / "reports/index.html").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_params_hash_follows_values_of_the_active_profile(params: Params) -> None:
    paper = params.paper.model_copy(
        update={"report": params.paper.report.model_copy(update={"images": False})}
    )
    assert params_hash(params.model_copy(update={"paper": paper})) == params_hash(params)
    assert params_hash(params.model_copy(update={"seed": 1})) != params_hash(params)


@pytest.mark.parametrize(
    "name", ["requirements.lock", "reports/data/msmt17.json", "data/raw/msmt17.zip"]
)
def test_missing_inputs_are_named(
    repository: Path, params: Params, tmp_path: Path, name: str
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(repository, root)
    (root / name).unlink()
    with pytest.raises(UserError) as error:
        report(root, params)
    assert Path(name).name in str(error.value)
