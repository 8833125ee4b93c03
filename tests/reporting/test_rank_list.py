"""Fig. 6: which queries, which images, and their marks."""

import numpy as np
import pytest

from reidpipe.reporting.pictures.pictures import sheet
from reidpipe.reporting.pictures.rank_list import CORRECT, WRONG, chosen, drawn, rank_list
from reidpipe.reporting.pictures.retrieval import across_variants, own_runs, rank_lists
from reidpipe.reporting.reading.inputs import Inputs


def test_best_median_and_worst(inputs: Inputs) -> None:
    ranking = inputs.results["market1501-ours"].ranking
    best, median, worst = (ranking.average_precision[row] for row in chosen(ranking).values())
    assert best == ranking.average_precision.max()
    assert worst == ranking.average_precision.min()
    assert median == np.sort(ranking.average_precision)[round((len(ranking.query) - 1) / 2)]


@pytest.mark.parametrize("run", ["market1501-ours", "msmt17-ours-pretrained"])
def test_marks_follow_the_identities(inputs: Inputs, run: str) -> None:
    ranking, data = inputs.results[run].ranking, inputs.data_set(inputs.runs[run].dataset)
    for row in range(0, len(ranking.query), 7):
        found = rank_list("any", row, ranking, data, images=False)
        probe = found.probe.shot
        marks = [tile.correct for tile in found.ranked]
        assert marks == [tile.shot.pid == probe.pid for tile in found.ranked]
        first = int(ranking.first_match[row])
        assert first >= len(marks) or marks.index(True) == first
        assert all(m.shot.pid == probe.pid and m.shot.camid != probe.camid for m in found.matches)
        # Junk, the same person under the same camera, is in no list.
        shown = [tile.shot for tile in found.ranked]
        assert not any(s.pid == probe.pid and s.camid == probe.camid for s in shown)


def test_every_run_of_ours_has_three_lists(inputs: Inputs) -> None:
    found = rank_lists(inputs)
    assert [part.run for part in found] == list(own_runs(inputs))
    assert len(found) == 4
    assert {len(part.lists) for part in found} == {3}


def test_variants_answer_the_same_query(inputs: Inputs) -> None:
    for part in across_variants(inputs):
        assert list(part.lists) == [row.method for row in inputs.tables[0].rows]
        assert len({one.probe.shot for one in part.lists.values()}) == 1


def test_drawn_boxes_have_the_papers_colours(inputs: Inputs) -> None:
    data, ranking = inputs.data_set("market1501"), inputs.results["market1501-ours"].ranking
    row = int(np.flatnonzero((ranking.first_match > 0) & (ranking.first_match < 10))[0])
    one = rank_list("any", row, ranking, data, images=False)
    pixels = np.asarray(drawn([one], data)).reshape(-1, 3)
    colours = {f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.unique(pixels, axis=0).tolist()}
    assert {CORRECT, WRONG} <= colours


def test_a_sheet_has_a_place_for_every_image(inputs: Inputs) -> None:
    data = inputs.data_set("market1501")
    picture = data.picture(data.subsets["query"][0])
    assert sheet([[picture, None, picture], [None]], (10, 20)).size == (3 * 13 + 3, 2 * 23 + 3)
