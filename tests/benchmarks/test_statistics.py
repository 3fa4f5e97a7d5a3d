"""Statistics against SciPy, closed forms, plain loops, and simulated agents whose truth is known."""

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


# Aggregates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 17, 480])
def test_iqm_is_scipys_trimmed_mean(rng: np.random.Generator, n: int) -> None:
    scores = rng.normal(size=(6, n))
    np.testing.assert_allclose(aggregates.iqm(scores), stats.trim_mean(scores, 0.25, axis=1), rtol=1e-12)


def test_low_tail_and_optimality_gap_of_literals() -> None:
    assert aggregates.low_tail(np.arange(11.0)) == 2.0
    assert aggregates.optimality_gap(np.array([0.5, 1.0, 7.0])) == pytest.approx(0.5 / 3)


# Bootstrap ------------------------------------------------------------------------------------------------------------


def test_each_repetition_is_a_plain_resampling(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(4, 9, 3))
    drawn = Resampling.draw(4, 9, "rl2", "Somewhere", repetitions=50)
    for r in range(50):
        run_keys = scores[np.ix_(drawn.seeds[r], drawn.tasks[r])]
        assert drawn.mean(scores)[r] == pytest.approx(run_keys.mean((0, 1)), abs=1e-6)
        assert drawn.iqm(scores[:, :, 0])[r] == pytest.approx(
            stats.trim_mean(run_keys[:, :, 0].ravel(), 0.25), abs=1e-6
        )


def test_the_same_place_has_the_same_tasks_and_the_same_weights_the_same_seeds() -> None:
    a, b = Resampling.draw(5, 8, "rl2", "X"), Resampling.draw(5, 8, "ppo", "X")
    assert np.array_equal(a.tasks, b.tasks)
    assert not np.array_equal(a.seeds, b.seeds)
    assert np.array_equal(a.seeds, Resampling.draw(5, 8, "rl2", "X").seeds)
    assert not np.array_equal(a.tasks, Resampling.draw(5, 8, "rl2", "Y").tasks)


def test_with_one_task_the_interval_is_that_of_the_mean_of_seeds(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(200, 1))
    low, high = bootstrap.interval(Resampling.draw(200, 1, "a", "b").mean(scores))
    error = scores.std() / np.sqrt(200)  # of the mean; the bootstrap's spread has no Bessel correction
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    assert (high + low) / 2 == pytest.approx(scores.mean(), abs=0.1 * error)


def test_ten_thousand_repetitions_of_a_thousand_cells_are_quick(rng: np.random.Generator) -> None:
    scores = rng.normal(size=(10, 100))
    began = time.process_time()
    Resampling.draw(10, 100, "a", "b").iqm(scores)
    assert time.process_time() - began < 3.0


# Comparisons ----------------------------------------------------------------------------------------------------------


def test_holm_of_literals() -> None:
    # Holm 1979: the smallest times 3, the next times 2, the last once, never falling.
    assert comparisons.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert comparisons.holm([0.6, 0.7]) == [1.0, 1.0]
    assert comparisons.holm([float("nan"), 0.02])[1] == 0.02
    assert comparisons.holm([]) == []


def test_welch_is_the_textbooks(rng: np.random.Generator) -> None:
    a, b = rng.normal(0.0, 1.0, 6), rng.normal(0.5, 3.0, 9)
    va, vb = a.var(ddof=1) / 6, b.var(ddof=1) / 9
    freedom = (va + vb) ** 2 / (va**2 / 5 + vb**2 / 8)
    t = (a.mean() - b.mean()) / np.sqrt(va + vb)
    assert comparisons.welch(a, b) == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    assert np.isnan(comparisons.welch(a[:1], b))
    assert comparisons.welch(np.ones(3), np.ones(4)) == 1.0
    assert comparisons.welch(np.ones(3), np.zeros(4)) == 0.0


def test_improvement_is_a_loop_over_pairs(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 3, (3, 5)).astype(float), rng.integers(0, 3, (4, 5)).astype(float)
    pairs = [(a[i, t] > b[j, t]) + 0.5 * (a[i, t] == b[j, t]) for i in range(3) for j in range(4) for t in range(5)]
    assert comparisons.improvement(a, b) == pytest.approx(np.mean(pairs))
    assert comparisons.improvement(b, a) == pytest.approx(1 - np.mean(pairs))
    of_a, of_b = Resampling.draw(3, 5, "a", "x", 40), Resampling.draw(4, 5, "b", "x", 40)
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
    """Two agents of the same quality, count times: [count, SEEDS, TASKS] each. Tasks are shared; seeds are not."""
    task = rng.normal(0.0, 0.3, (count, 1, TASKS))

    def one() -> np.ndarray:
        seed = rng.normal(0.0, 0.1, (count, SEEDS, 1))
        return 0.5 + task + seed + rng.normal(0.0, 0.15, (count, SEEDS, TASKS))

    return one(), one()


def test_identical_agents_are_rarely_called_different_and_intervals_hold_the_truth(rng: np.random.Generator) -> None:
    """10 seeds, 64 tasks, nominal 5 %: at most 10 % false positives, at least 88 % coverage."""
    count = 300
    left, right = agents(rng, count)
    different = covered = 0
    for i in range(count):
        of_left = Resampling.draw(SEEDS, TASKS, f"left {i}", f"tasks {i}", 400)
        of_right = Resampling.draw(SEEDS, TASKS, f"right {i}", f"tasks {i}", 400)
        ours, theirs = of_left.iqm(left[i]), of_right.iqm(right[i])
        low, high = bootstrap.interval(ours - theirs)
        different += not low <= 0 <= high
        low, high = bootstrap.interval(ours)
        covered += low <= 0.5 <= high
    assert different / count <= 0.10
    assert covered / count >= 0.88


def test_a_bootstrap_of_cells_would_be_fooled(rng: np.random.Generator) -> None:
    """Why it is two-way: drawing cells as if each were new, identical agents differ far more often."""
    count = 100
    left, right = agents(rng, count)
    different = 0
    for i in range(count):
        run_keys = rng.integers(SEEDS * TASKS, size=(200, SEEDS * TASKS))
        others = rng.integers(SEEDS * TASKS, size=(200, SEEDS * TASKS))
        low, high = bootstrap.interval(left[i].ravel()[run_keys].mean(1) - right[i].ravel()[others].mean(1))
        different += not low <= 0 <= high
    assert different / count >= 0.25
