"""Scores of literals and of the score anchors, and plain loops that compute the same."""

from __future__ import annotations

import numpy as np
import pytest

from metarl.benchmarks.results.references import AnchorReturns, ScoreAnchors
from metarl.benchmarks.results.scores import Scale, Scores, experience_to_level, restricted_mean, solved_fraction
from metarl.errors import MetarlError


@pytest.fixture
def scale() -> Scale:
    return Scale(random=np.array([0.0, 10.0]), oracle=np.array([4.0, 12.0]), denominator=3.0)


def test_anchors_have_mean_scores_0_and_1(scale: Scale) -> None:
    ones = np.ones((2, 3, 2, 4))  # S, K, N, E
    random = Scores(scale.scores(ones * scale.random[:, None]))
    oracle = Scores(scale.scores(ones * scale.oracle[:, None]))
    assert np.all(random.auac == 0)
    assert oracle.auac.mean() == pytest.approx(1)  # by task 4/3 and 2/3: one denominator for all
    assert oracle.by_task == pytest.approx([4 / 3, 2 / 3])
    assert np.all(oracle.gain == 0)
    assert np.all(oracle.forgetting == 0)
    assert oracle.regret(oracle.auac.mean()) == pytest.approx(0)
    assert random.regret(0.0) == 3.0


def test_first_last_gain_and_forgetting_of_literals() -> None:
    y = np.array([0.2, 0.9, 0.5])[None, :, None, None] * np.ones((1, 3, 1, 2))
    scores = Scores(y)
    assert scores.first == pytest.approx(0.2)
    assert scores.last == pytest.approx(0.5)
    assert scores.gain == pytest.approx(0.3)
    assert scores.forgetting == pytest.approx(0.4)
    assert scores.auac == pytest.approx(1.6 / 3)


def test_scores_are_not_clipped(scale: Scale) -> None:
    assert scale.scores(np.array([[40.0], [0.0]])).ravel() == pytest.approx([40 / 3, -10 / 3])


def test_bins_of_a_constant_reward_equal_the_score_of_its_return(scale: Scale) -> None:
    assert scale.bins(np.array([4.0, 12.0]) / 20, horizon=20) == pytest.approx([4 / 3, 2 / 3])


def test_experience_counts_steps_taken_up_to_the_first_episode_that_reaches_the_level() -> None:
    scale = Scale(random=np.array([0.0, 0.0, 5.0]), oracle=np.array([10.0, 10.0, 5.0]), denominator=1.0)
    returns = np.array([[[1.0], [0.0], [5.0]], [[8.0], [0.0], [5.0]], [[9.0], [7.9], [5.0]]])[None]  # S, K, N, E
    steps = np.array([[[20], [20], [20]], [[7], [20], [20]], [[20], [20], [20]]])[None]
    reached = experience_to_level(returns, steps, scale, 0.8)  # without the third task: oracle equals random
    assert reached.tolist() == [[[27.0], [np.inf]]]
    assert experience_to_level(returns, steps, scale, 0.5).tolist() == [[[27.0], [60.0]]]
    assert solved_fraction(reached, np.array([0, 26, 27, 60])).tolist() == [[0, 0, 0.5, 0.5]]
    assert restricted_mean(reached, 60) == (27 + 60) / 2


def test_restricted_mean_equals_the_area_above_the_solved_fraction_curve() -> None:
    rng = np.random.default_rng(0)
    reached = np.where(rng.random((3, 20, 2)) < 0.3, np.inf, rng.integers(1, 101, (3, 20, 2)))
    fraction = solved_fraction(reached, np.arange(100)).mean(0)  # at the start of each step
    assert restricted_mean(reached, 100) == pytest.approx((1 - fraction).sum())


def test_anchor_returns_are_means_over_trials_with_standard_errors() -> None:
    rng = np.random.default_rng(1)
    returns = {"random": rng.normal(0, 1, (1, 4, 3, 8)), "oracle": rng.normal(10, 2, (2, 4, 3, 8))}
    low, high = (AnchorReturns.of(r, "hash", name, {}) for name, r in returns.items())
    anchors = ScoreAnchors(low, high)
    assert high.mean == pytest.approx(returns["oracle"].mean((0, 1, 3)))
    trials = returns["oracle"].mean(1)[:, 1].ravel()  # task 1: 2 seeds x 8 replicates
    assert high.error[1] == pytest.approx(trials.std(ddof=1) / 4)
    difference = returns["oracle"].mean((0, 1, 3)) - returns["random"].mean((0, 1, 3))
    assert anchors.denominator == pytest.approx(difference.mean())
    with pytest.raises(MetarlError, match="no higher return than random actions"):
        _ = ScoreAnchors(high, low).denominator
    variance = (low.error**2).sum() / 9 + (high.error**2).sum() / 9  # the error of a difference of means of 3
    assert anchors.denominator_error == pytest.approx(variance**0.5)
