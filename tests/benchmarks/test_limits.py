"""Parts of a suite: some of its distributions, fewer env steps, and the merging of such results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import metarl
from metarl.benchmarks.commands.benchmark import BenchmarkOptions, begin, suite_methods
from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.job.job import jobs, run_job
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.sentences import notices
from metarl.benchmarks.report.tables import costs
from metarl.benchmarks.results.load_results import load_results
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.scratch_settings import ScratchSettings
from metarl.benchmarks.suites.suite import Suite

WHERE = "PointGoalSparse"


@pytest.fixture
def two(suite_file: Callable[..., Path], tmp_path: Path) -> Suite:
    """The tiny suite with a second distribution."""
    entry = json.loads(suite_file(tmp_path).read_text())["distributions"][0]
    bandit = {**entry, "name": "Bandit5N10", "eval_sets": {"test": {"tasks": 2}}, "episodes": None}
    return suites.load(str(suite_file(tmp_path, distributions=[entry, bandit])))


def start(suite: Suite, out: Path, *, of: tuple[str, ...] = (), steps: int | None = None) -> BenchmarkFolder:
    return begin(suite, suite_methods(suite, ()), 1, str(out), of, steps)


def test_limited_steps_and_distributions_are_run_and_reported(two: Suite, tmp_path: Path) -> None:
    folder = start(two, tmp_path / "out", of=(WHERE,), steps=480)
    assert {job.owner: job.steps for job in jobs(folder)} == {"rl2": 480, "oracle": 480, "random": 0}
    for job in list(jobs(folder)):
        run_job(folder, job, "cpu")
    data = document(load_results([folder.path]))
    assert notices(data) == [
        "Preliminary: on PointGoalSparse fewer env steps of training than in the suite (rl2: 480 of 960).",
        "Left out of the suite: Bandit5N10.",
    ]
    env_steps = {row[0]: row[1] for row in costs(data["distributions"][0]).rows}
    assert env_steps["rl2"] == "640 (960 in the suite)"  # updates are not cut


def test_distributions_can_be_added_but_not_with_another_budget(two: Suite, tmp_path: Path) -> None:
    out = tmp_path / "out"
    start(two, out, of=(WHERE,), steps=480)
    assert [entry.label for entry in start(two, out, of=("Bandit5N10",), steps=480).suite.entries] == [
        WHERE,
        "Bandit5N10",
    ]
    assert [entry.label for entry in start(two, out, steps=480).suite.entries] == [WHERE, "Bandit5N10"]
    with pytest.raises(metarl.MetarlError, match=r"other env steps \(--steps: 480 there, those of the suite here\)"):
        start(two, out)


def test_results_of_different_budgets_cannot_be_merged(two: Suite, tmp_path: Path) -> None:
    whole, short = start(two, tmp_path / "a", of=(WHERE,)), start(two, tmp_path / "b", of=(WHERE,), steps=480)
    with pytest.raises(metarl.MetarlError, match=r"rl2 learns for 960 env steps on PointGoalSparse in .* and for 480"):
        load_results([whole.path, short.path])
    other = start(two, tmp_path / "c", of=("Bandit5N10",), steps=480)  # one budget for each distribution
    merged = document(load_results([whole.path, other.path]))
    assert [d["name"] for d in merged["distributions"]] == [WHERE, "Bandit5N10"]
    assert any("on Bandit5N10 fewer env steps" in line for line in notices(merged))
    assert not any("on PointGoalSparse fewer" in line for line in notices(merged))


def test_results_of_different_suites_cannot_be_merged(
    two: Suite, suite_file: Callable[..., Path], tmp_path: Path
) -> None:
    renamed = suites.load(str(suite_file(tmp_path / "other", name="other")))
    folders = start(two, tmp_path / "a"), start(renamed, tmp_path / "b")
    with pytest.raises(metarl.MetarlError, match=r"is of the suite tiny, .* of other"):
        load_results([folder.path for folder in folders])


def test_limit_of_steps_applies_to_the_sum_over_tasks_learned_from_scratch() -> None:
    assert ScratchSettings(steps=1000, tasks=8).limited(4000).steps == 500
    assert ScratchSettings(steps=1000, tasks=8).limited(9000).steps == 1000


def test_unknown_distribution_and_zero_steps_are_refused(two: Suite) -> None:
    with pytest.raises(metarl.MetarlError, match="unknown distribution of the suite tiny 'PointGoalSpars'"):
        two.limited(["PointGoalSpars"])
    with pytest.raises(metarl.MetarlError, match="steps must be a whole number of at least 1, got 0"):
        BenchmarkOptions("quick", steps=0)
