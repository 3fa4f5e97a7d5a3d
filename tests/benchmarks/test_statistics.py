"""Statistics against SciPy, closed forms, plain loops, and simulated agents of known quality."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from metarl.benchmarks.statistics import aggregates, bootstrap, comparisons
from metarl.benchmarks.statistics.bootstrap import Resampling

SEEDS, TASKS = 10, 64


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def draw(num_seeds: int, num_tasks: int, seeds: int = 0, tasks: int = 0, repetitions: int = 10_000) -> Resampling:
    """Draw with generators of these seeds."""
    generators = np.random.default_rng([1, seeds]), np.random.default_rng([2, tasks])
    return Resampling.draw(num_seeds, num_tasks, *generators, repetitions)


# Aggregates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 17, 480])
def test_iqm_equals_scipys_trimmed_mean(rng: np.random.Generator, n: int) -> None:
    scores = rng.normal(size=(6, n))
    np.testing.assert_allclose(aggregates.iqm(scores), stats.trim_mean(scores, 0.25, axis=1), rtol=1e-12)


def test_low_tail_and_optimality_gap_of_literals() -> None:
    assert aggregates.low_tail(np.arange(11.0)) == 2.0
    assert aggregates.optimality_gap(np.array([0.5, 1.0, 7.0])) == pytest.approx(0.5 / 3)


# Bootstrap ------------------------------------------------------------------------------------------------------------


def test_mean_and_iqm_of_each_repetition_equal_those_of_the_drawn_scores(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(4, 9, 3))
    resampling = draw(4, 9, repetitions=50)
    for r in range(50):
        drawn = scores[np.ix_(resampling.seeds[r], resampling.tasks[r])]
        assert resampling.mean(scores)[r] == pytest.approx(drawn.mean((0, 1)), abs=1e-6)
        assert resampling.iqm(scores[:, :, 0])[r] == pytest.approx(
            stats.trim_mean(drawn[:, :, 0].ravel(), 0.25), abs=1e-6
        )


def test_interval_with_one_task_equals_that_of_the_mean_over_seeds(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(200, 1))
    low, high = bootstrap.interval(draw(200, 1).mean(scores))
    error = scores.std() / np.sqrt(200)  # of the mean; the bootstrap has no Bessel correction
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    assert (high + low) / 2 == pytest.approx(scores.mean(), abs=0.1 * error)


def test_ten_thousand_repetitions_of_a_thousand_scores_take_less_than_three_seconds(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(10, 100))
    began = time.process_time()
    draw(10, 100).iqm(scores)
    assert time.process_time() - began < 3.0


# Comparisons ----------------------------------------------------------------------------------------------------------


def test_holm_of_literals() -> None:
    # Holm 1979: the smallest p times 3, the next times 2, the last times 1, made monotonic.
    assert comparisons.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert comparisons.holm([0.6, 0.7]) == [1.0, 1.0]
    assert comparisons.holm([float("nan"), 0.02])[1] == 0.02
    assert comparisons.holm([]) == []


def test_welch_equals_the_textbook_formula(rng: np.random.Generator) -> None:
    a, b = rng.normal(0.0, 1.0, 6), rng.normal(0.5, 3.0, 9)
    va, vb = a.var(ddof=1) / 6, b.var(ddof=1) / 9
    freedom = (va + vb) ** 2 / (va**2 / 5 + vb**2 / 8)
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    assert comparisons.welch(a, b) == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    assert np.isnan(comparisons.welch(a[:1], b))
    assert comparisons.welch(np.ones(3), np.ones(4)) == 1.0
    assert comparisons.welch(np.ones(3), np.zeros(4)) == 0.0


def test_improvement_equals_a_loop_over_pairs(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 3, (3, 5)).astype(float), rng.integers(0, 3, (4, 5)).astype(float)
    pairs = [(a[i, t] > b[j, t]) + 0.5 * (a[i, t] == b[j, t]) for i in range(3) for j in range(4) for t in range(5)]
    assert comparisons.improvement(a, b) == pytest.approx(np.mean(pairs))
    assert comparisons.improvement(b, a) == pytest.approx(1 - np.mean(pairs))
    of_a, of_b = draw(3, 5, seeds=1, repetitions=40), draw(4, 5, seeds=2, repetitions=40)
    draws = comparisons.improvement_draws(a, b, of_a, of_b)
    for r in range(40):
        one = comparisons.improvement(a[np.ix_(of_a.seeds[r], of_a.tasks[r])], b[np.ix_(of_b.seeds[r], of_a.tasks[r])])
        assert draws[r] == pytest.approx(one, abs=1e-6)


def test_profiles_and_ranks_of_literals() -> None:
    assert comparisons.profile(np.array([[0.0, 0.5], [1.0, 2.0]]), np.array([-1.0, 0.0, 0.9, 2.0])).tolist() == [
        1.0, 0.75, 0.5, 0.0,
    ]  # fmt: skip
    assert comparisons.ranks(np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 5.0]])).tolist() == [[1, 2.5], [2, 2.5], [3, 1]]


# Simulation -----------------------------------------------------------------------------------------------------------


def agents(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of two agents of the same quality, `count` times: [count, SEEDS, TASKS] each, on the same tasks."""
    task = rng.normal(0.0, 0.3, (count, 1, TASKS))

    def one() -> np.ndarray:
        seed = rng.normal(0.0, 0.1, (count, SEEDS, 1))
        return 0.5 + task + seed + rng.normal(0.0, 0.15, (count, SEEDS, TASKS))

    return one(), one()


def test_false_positives_are_rare_and_intervals_cover_the_true_mean(rng: np.random.Generator) -> None:
    """10 seeds, 64 tasks, nominal 5 %: at most 10 % false positives, at least 88 % coverage."""
    count = 300
    left, right = agents(rng, count)
    different = covered = 0
    for i in range(count):
        of_left = draw(SEEDS, TASKS, seeds=2 * i, tasks=i, repetitions=400)
        of_right = draw(SEEDS, TASKS, seeds=2 * i + 1, tasks=i, repetitions=400)
        left_iqm, right_iqm = of_left.iqm(left[i]), of_right.iqm(right[i])
        low, high = bootstrap.interval(left_iqm - right_iqm)
        different += not low <= 0 <= high
        low, high = bootstrap.interval(left_iqm)
        covered += low <= 0.5 <= high
    assert different / count <= 0.10
    assert covered / count >= 0.88


def test_bootstrap_of_single_scores_has_many_false_positives(rng: np.random.Generator) -> None:
    """The reason for the two-way bootstrap: with independent draws, identical agents differ far more often."""
    count = 100
    left, right = agents(rng, count)
    different = 0
    for i in range(count):
        a, b = rng.integers(SEEDS * TASKS, size=(2, 200, SEEDS * TASKS))
        low, high = bootstrap.interval(left[i].ravel()[a].mean(1) - right[i].ravel()[b].mean(1))
        different += not low <= 0 <= high
    assert different / count >= 0.25
