"""How often the rule is wrong on trainings that differ in luck alone, and what it sees."""

import numpy as np
import pytest

from reidpipe.commands.check.chance import ALL, Change, differences, limits, verdict
from reidpipe.commands.check.noise import Noise, scatter
from reidpipe.formats.queries import METRICS, Queries
from tests.commands.trainings import table, training

BOOTSTRAP = {"samples": 400, "seed": 0}
RUNS = ("a", "b", "c")
JUDGED = ("rank1", "mAP")
NOISE = Noise({run: scatter(table(run, range(100)).matrix()) for run in RUNS}, None, {})
UNKNOWN = Noise({}, None, {})


def change(run: str, old: Queries, new: Queries, *, retrained: bool = True) -> Change:
    before, after = (dict(zip(METRICS, q.matrix().mean(0), strict=True)) for q in (old, new))
    points = {metric: float(after[metric] - before[metric]) for metric in JUDGED}
    return Change(run, points, old, new, retrained)


def regressions(changes: list[Change], noise: Noise = NOISE) -> list[tuple[str, str]]:
    bounds = limits(changes, noise, BOOTSTRAP, 0.05)
    found = []
    for key, points in differences(changes).items():
        around = bounds.interval(*key, points)
        if verdict(points, 0.5, around[1] if around else None) == "regression":
            found.append(key)
    return found


def pair(index: int, shift: float = 0.0) -> list[Change]:
    """All runs trained twice, the second time with `shift` of every average precision."""
    first, second = 1000 + 2 * index, 1001 + 2 * index
    return [change(run, training(run, first), training(run, second, shift=shift)) for run in RUNS]


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_was_asked() -> None:
    alarms = [bool(regressions(pair(index))) for index in range(150)]
    assert sum(alarms) <= 0.05 * 150 + 3 * (0.05 * 0.95 * 150) ** 0.5  # 15.5; 7.5 are expected
    # By the bootstrap alone it would cry wolf.
    narrow = [bool(regressions(pair(index), UNKNOWN)) for index in range(30)]
    assert sum(narrow) > 8


@pytest.mark.slow
def test_a_loss_that_is_visible_is_seen_in_nine_of_ten() -> None:
    bounds = limits(pair(0), NOISE, BOOTSTRAP, 0.05)
    loss = bounds.visible(ALL, "mAP")
    assert 2 < loss < 12
    caught = [(ALL, "mAP") in regressions(pair(index, -loss / 100)) for index in range(100)]
    assert 80 <= sum(caught) <= 97


def test_the_mean_sees_what_no_single_run_can() -> None:
    bounds = limits(pair(0), NOISE, BOOTSTRAP, 0.05)
    assert all(bounds.visible(ALL, "mAP") < bounds.visible(run, "mAP") for run in RUNS)


def test_more_runs_and_metrics_are_paid_for() -> None:
    one = limits(pair(0)[:1], NOISE, BOOTSTRAP, 0.05)
    all_of_them = limits(pair(0), NOISE, BOOTSTRAP, 0.05)
    assert one.of_runs < all_of_them.of_runs
    assert 0 < all_of_them.of_mean < all_of_them.of_runs
    assert ALL not in {run for run, _ in one.error}


def test_the_same_network_is_judged_by_its_queries_alone() -> None:
    old, new = training("a", 1), training("a", 1, shift=-0.03)
    assert regressions([change("a", old, new, retrained=False)])
    assert not regressions([change("a", old, new)])


def test_scores_of_one_side_are_enough_where_the_seeds_are_known() -> None:
    old, new = training("a", 1), training("a", 2)
    both = limits([change("a", old, new)], NOISE, BOOTSTRAP, 0.05)
    alone = limits([Change("a", {"mAP": -1.0}, None, new)], NOISE, BOOTSTRAP, 0.05)
    assert alone.error["a", "mAP"] == pytest.approx(both.error["a", "mAP"], rel=0.3)


def test_where_nothing_is_known_the_tolerance_decides() -> None:
    blind = Change("a", {"mAP": -0.6}, None, None)
    bounds = limits([blind], UNKNOWN, BOOTSTRAP, 0.05)
    assert bounds.interval("a", "mAP", -0.6) is None
    assert verdict(-0.6, 0.5, None) == "regression"
    assert verdict(-0.5, 0.5, None) == "ok"
    assert limits([], NOISE, BOOTSTRAP, 0.05).error == {}


def test_draws_are_the_same_every_time() -> None:
    first, again = (limits(pair(0), NOISE, BOOTSTRAP, 0.05) for _ in range(2))
    assert first == again
    assert np.isfinite([*first.error.values()]).all()
