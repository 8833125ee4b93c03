"""The noise of training against its definition, and against the model that made the numbers."""

from pathlib import Path

import numpy as np
import pytest

from reidpipe.commands.check.noise import PRIOR, in_workspace, noise, scatter
from reidpipe.formats import seeds
from reidpipe.formats.queries import METRICS
from tests.commands.trainings import COMMON, QUERIES, REST, table

MAP = METRICS.index("mAP")


def test_the_whole_spread_is_that_of_the_means() -> None:
    scores = table("a", range(5)).matrix()
    found = scatter(scores)
    means = [one[:, MAP].mean() for one in scores]
    assert found.whole[MAP, MAP] == pytest.approx(np.var(means, ddof=1))
    assert found.freedom == 4


def test_the_common_part_is_what_the_model_put_in() -> None:
    found = scatter(table("a", range(400)).matrix())
    assert found.common[MAP, MAP] ** 0.5 == pytest.approx(100 * COMMON, rel=0.15)
    whole = (COMMON**2 + REST**2 / QUERIES) ** 0.5
    assert found.whole[MAP, MAP] ** 0.5 == pytest.approx(100 * whole, rel=0.15)


def test_the_luck_of_queries_alone_leaves_nothing_in_common() -> None:
    found = scatter(table("a", range(400), common=0.0).matrix())
    assert found.common[MAP, MAP] ** 0.5 < 100 * COMMON / 4


def test_draws_are_differences_of_two_trainings() -> None:
    found = scatter(table("a", range(200)).matrix())
    for with_queries, covariance in ((True, found.whole), (False, found.common)):
        drawn = found.draws(20_000, "a", with_queries=with_queries)
        np.testing.assert_allclose(
            drawn.std(0), (2 * covariance.diagonal()) ** 0.5, rtol=0.05, atol=1e-6
        )
        np.testing.assert_allclose(drawn.mean(0), 0, atol=0.2)


def test_few_trainings_have_long_tails() -> None:
    few, many = (scatter(table("a", range(count)).matrix()) for count in (3, 300))
    far = [
        np.quantile(np.abs(one.draws(20_000, "a", with_queries=True)[:, MAP]), 0.99)
        / np.quantile(np.abs(one.draws(20_000, "a", with_queries=True)[:, MAP]), 0.5)
        for one in (few, many)
    ]
    assert far[0] > 1.5 * far[1]


def test_a_run_without_seeds_has_the_pooled_spread_and_few_seeds_lean_on_it(tmp_path: Path) -> None:
    for run, common in (("calm", 0.005), ("wild", 0.05)):
        seeds.write(tmp_path / f"{run}.csv", table(run, range(5), common))
    (tmp_path / "mAP.csv").write_text("metric,run\n")  # of `reidpipe seeds mAP`
    found = noise(in_workspace(tmp_path), "embedded")
    raw = {
        run: scatter(table(run, range(5), c).matrix())
        for run, c in (("calm", 0.005), ("wild", 0.05))
    }
    assert found.others
    variances = [raw[run].whole[MAP, MAP] for run in ("calm", "wild")]
    assert found.others.whole[MAP, MAP] == pytest.approx(np.mean(variances), rel=1e-3)
    assert found.of("another") is found.others
    assert found.others.freedom == PRIOR
    own = found.of("calm")
    assert own
    expected = (PRIOR * found.others.whole + 4 * raw["calm"].whole) / (PRIOR + 4)
    np.testing.assert_allclose(own.whole, expected, rtol=1e-3, atol=1e-6)
    assert own.freedom == PRIOR + 4


@pytest.mark.parametrize("profile", ["paper"])
def test_another_profile_tells_nothing(tmp_path: Path, profile: str) -> None:
    seeds.write(tmp_path / "a.csv", table("a", range(5)))
    assert noise(in_workspace(tmp_path), profile).others is None


def test_one_seed_tells_nothing(tmp_path: Path) -> None:
    seeds.write(tmp_path / "a.csv", table("a", range(1)))
    assert noise(in_workspace(tmp_path), "embedded").others is None
    assert noise({}, "embedded").others is None


def test_runs_that_share_their_luck_scatter_more_together() -> None:
    """Five times the same trainings: their mean scatters as one of them does."""
    same = noise({name: table("a", range(60)) for name in "abcde"}, "embedded")
    apart = noise({name: table(name, range(60)) for name in "abcde"}, "embedded")
    runs = list("abcde")
    found, other = same.of_mean(runs), apart.of_mean(runs)
    one = same.of("a")
    assert found
    assert other
    assert one
    assert found.common[MAP, MAP] > 0.7 * one.common[MAP, MAP]
    assert other.common[MAP, MAP] < 0.45 * one.common[MAP, MAP]


def test_a_mean_over_runs_of_which_one_is_unknown_is_unknown() -> None:
    assert noise({}, "embedded").of_mean(["a", "b"]) is None
    assert noise({"a": table("a", range(5))}, "embedded").of_mean([]) is None
    found = noise({"a": table("a", range(5))}, "embedded").of_mean(["a", "b"])
    assert found  # b has the scatter of runs without seeds
