"""Scores of literals, against plain loops, and at the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.benchmarks.results.references import Earned, ScoreAnchors
from metarl.benchmarks.results.scores import Scale, Scores, experience, restricted_mean, solved
from metarl.errors import MetarlError


@pytest.fixture
def scale() -> Scale:
    return Scale(floor=np.array([0.0, 10.0]), best=np.array([4.0, 12.0]), denominator=3.0)


def test_the_ends_of_the_scale_score_0_and_1_on_average(scale: Scale) -> None:
    lives = np.ones((2, 3, 2, 4))  # S, K, N, E
    random = Scores(scale.scores(lives * scale.floor[:, None]))
    best = Scores(scale.scores(lives * scale.best[:, None]))
    assert np.all(random.auac == 0)
    assert best.auac.mean() == pytest.approx(1)  # by task 4/3 and 2/3: one denominator for all
    assert best.by_task == pytest.approx([4 / 3, 2 / 3])
    assert np.all(best.gain == 0)
    assert np.all(best.forgetting == 0)
    assert best.regret(best.auac.mean()) == pytest.approx(0)
    assert random.regret(0.0) == 3.0


def test_first_last_gain_and_forgetting_of_literals() -> None:
    y = np.array([0.2, 0.9, 0.5])[None, :, None, None] * np.ones((1, 3, 1, 2))
    scores = Scores(y)
    assert scores.first == pytest.approx(0.2)
    assert scores.last == pytest.approx(0.5)
    assert scores.gain == pytest.approx(0.3)
    assert scores.forgetting == pytest.approx(0.4)
    assert scores.auac == pytest.approx(1.6 / 3)


def test_nothing_is_clipped(scale: Scale) -> None:
    assert scale.scores(np.array([[40.0], [0.0]])).ravel() == pytest.approx([40 / 3, -10 / 3])


def test_bins_of_an_even_reward_are_its_return(scale: Scale) -> None:
    assert scale.bins(np.array([4.0, 12.0]) / 20, horizon=20) == pytest.approx([4 / 3, 2 / 3])


def test_experience_counts_lived_steps_of_the_first_episode_that_reaches_the_level() -> None:
    scale = Scale(floor=np.array([0.0, 0.0, 5.0]), best=np.array([10.0, 10.0, 5.0]), denominator=1.0)
    returns = np.array([[[1.0], [0.0], [5.0]], [[8.0], [0.0], [5.0]], [[9.0], [7.9], [5.0]]])[None]  # S, K, N, E
    steps = np.array([[[20], [20], [20]], [[7], [20], [20]], [[20], [20], [20]]])[None]
    reached = experience(returns, steps, scale, 0.8)  # the third task has nothing to gain: left out
    assert reached.tolist() == [[[27.0], [np.inf]]]
    assert experience(returns, steps, scale, 0.5).tolist() == [[[27.0], [60.0]]]
    assert solved(reached, np.array([0, 26, 27, 60])).tolist() == [[0, 0, 0.5, 0.5]]
    assert restricted_mean(reached, 60) == (27 + 60) / 2


def test_the_restricted_mean_is_the_area_above_the_solved_curve() -> None:
    rng = np.random.default_rng(0)
    reached = np.where(rng.random((3, 20, 2)) < 0.3, np.inf, rng.integers(1, 101, (3, 20, 2)))
    share = solved(reached, np.arange(100)).mean(0)  # at the start of each step
    assert restricted_mean(reached, 100) == pytest.approx((1 - share).sum())


def test_ends_are_means_over_lives_with_their_errors() -> None:
    rng = np.random.default_rng(1)
    floor, best = rng.normal(0, 1, (1, 4, 3, 8)), rng.normal(10, 2, (2, 4, 3, 8))
    low, high = (Earned.of(r, "hash", who, {}) for r, who in ((floor, "random"), (best, "oracle")))
    anchors = ScoreAnchors(low, high)
    assert high.mean == pytest.approx(best.mean((0, 1, 3)))
    lives = best.mean(1)[:, 1].ravel()  # task 1: 2 seeds x 8 replicates
    assert high.error[1] == pytest.approx(lives.std(ddof=1) / 4)
    assert anchors.denominator == pytest.approx((best.mean((0, 1, 3)) - floor.mean((0, 1, 3))).mean())
    with pytest.raises(MetarlError, match="earns no more than random"):
        _ = ScoreAnchors(high, low).denominator
    several = (low.error**2).sum() / 9 + (high.error**2).sum() / 9  # the error of a difference of means of 3
    assert anchors.denominator_error == pytest.approx(several**0.5)
