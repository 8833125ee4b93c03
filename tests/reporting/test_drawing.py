"""Figures: same bytes, themed colours, no address."""

import re

import pytest

from reidpipe.errors import UserError
from reidpipe.reporting.pictures.curves import cmc_curves
from reidpipe.reporting.pictures.drawing import VARIABLES, Drawing
from reidpipe.reporting.pictures.embedding_map import embedding_map
from reidpipe.reporting.reading.histories import read_history
from reidpipe.reporting.reading.inputs import Inputs


@pytest.fixture(scope="module")
def cmc(inputs: Inputs) -> Drawing:
    return cmc_curves(inputs.tables[0], inputs.results)


def test_the_same_bytes_again(cmc: Drawing, inputs: Inputs) -> None:
    assert cmc_curves(inputs.tables[0], inputs.results).svg == cmc.svg


def test_inline_colours_are_variables(cmc: Drawing) -> None:
    assert any(colour in cmc.svg for colour in VARIABLES)
    assert not any(colour in cmc.inline for colour in VARIABLES)
    assert "var(--series-7)" in cmc.inline


def test_inline_has_no_address_and_ids_of_its_own(cmc: Drawing) -> None:
    assert "://" not in cmc.inline
    ids = re.findall(r'id="([^"]*)"', cmc.inline)
    assert ids
    assert all(name.startswith("cmc-") for name in ids)
    used = re.findall(r'(?:href="#|url\(#)([^")]*)', cmc.inline)
    assert set(used) <= set(ids)


def test_alt_text_has_the_numbers(cmc: Drawing, inputs: Inputs) -> None:
    for row in inputs.tables[0].rows:
        assert f"{row.method} {row.cells['rank1'].rebuilt}" in cmc.alt


def test_the_embedding_map_is_seeded(inputs: Inputs) -> None:
    features = inputs.root / "runs/market1501-ours/features.safetensors"
    first, again = embedding_map(features), embedding_map(features)
    assert (first.points == again.points).all()
    assert abs(first.points).max() == 1
    assert len(set(first.pid.tolist())) == 12


def test_a_broken_history_is_explained(inputs: Inputs) -> None:
    with pytest.raises(UserError, match="history"):
        read_history(inputs.root / "reports/cmc/market1501-ours.csv")
