"""Less than a whole suite: some of its distributions, fewer env steps; and what of it goes together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import metarl
from metarl.benchmarks.commands.benchmark import BenchmarkOptions, begin, enter
from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.job.job import jobs, work
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.sentences import notices
from metarl.benchmarks.report.tables import costs
from metarl.benchmarks.results.load_results import collect
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.scratch import Scratch
from metarl.benchmarks.suites.suite import Suite

WHERE = "PointGoalSparse"


@pytest.fixture
def two(suite_file: Callable[..., Path], tmp_path: Path) -> Suite:
    """The tiny suite with a second distribution."""
    entry = json.loads(suite_file(tmp_path).read_text())["distributions"][0]
    bandit = {**entry, "name": "Bandit5N10", "eval_sets": {"test": {"tasks": 2}}, "episodes": None}
    return suites.load(str(suite_file(tmp_path, distributions=[entry, bandit])))


def start(suite: Suite, out: Path, *, of: tuple[str, ...] = (), steps: int | None = None) -> Folder:
    return begin(suite, enter(suite, ()), 1, str(out), of, steps)


def test_fewer_steps_and_distributions_are_done_and_said(two: Suite, tmp_path: Path) -> None:
    folder = start(two, tmp_path / "out", of=(WHERE,), steps=480)
    assert {job.owner: job.steps for job in jobs(folder)} == {"rl2": 480, "oracle": 480, "random": 0}
    for job in list(jobs(folder)):
        work(folder, job, "cpu")
    data = document(collect([folder.path]))
    assert notices(data) == [
        "Preliminary: on PointGoalSparse fewer env steps of training than the suite says (rl2: 480 of 960).",
        "Left out of the suite: Bandit5N10.",
    ]
    # whole updates are made
    assert next(row for row in costs(data["distributions"][0]).rows if row[0] == "rl2")[1] == "640 (the suite says 960)"


def test_distributions_may_join_but_not_other_budgets(two: Suite, tmp_path: Path) -> None:
    out = tmp_path / "out"
    start(two, out, of=(WHERE,), steps=480)
    assert [f.label for f in start(two, out, of=("Bandit5N10",), steps=480).suite.entries] == [WHERE, "Bandit5N10"]
    assert [f.label for f in start(two, out, steps=480).suite.entries] == [WHERE, "Bandit5N10"]
    with pytest.raises(metarl.MetarlError, match=r"other env steps \(--steps: 480 there, those of the suite here\)"):
        start(two, out)


def test_results_of_different_budgets_are_not_put_together(two: Suite, tmp_path: Path) -> None:
    whole, short = start(two, tmp_path / "a", of=(WHERE,)), start(two, tmp_path / "b", of=(WHERE,), steps=480)
    with pytest.raises(metarl.MetarlError, match=r"rl2 learns for 960 env steps on PointGoalSparse in .* and for 480"):
        collect([whole.path, short.path])
    other = start(two, tmp_path / "c", of=("Bandit5N10",), steps=480)  # each distribution with one budget: it is said
    batched = document(collect([whole.path, other.path]))
    assert [d["name"] for d in batched["distributions"]] == [WHERE, "Bandit5N10"]
    assert any("on Bandit5N10 fewer env steps" in line for line in notices(batched))
    assert not any("on PointGoalSparse fewer" in line for line in notices(batched))


def test_another_suite_is_refused(two: Suite, suite_file: Callable[..., Path], tmp_path: Path) -> None:
    renamed = suites.load(str(suite_file(tmp_path / "other", name="other")))
    folders = start(two, tmp_path / "a"), start(renamed, tmp_path / "b")
    with pytest.raises(metarl.MetarlError, match=r"is of the suite tiny, .* of other"):
        collect([folder.path for folder in folders])


def test_the_limit_holds_for_all_tasks_learned_from_scratch_together() -> None:
    assert Scratch(steps=1000, tasks=8).limited(4000).steps == 500
    assert Scratch(steps=1000, tasks=8).limited(9000).steps == 1000


def test_mistakes_are_told(two: Suite) -> None:
    with pytest.raises(metarl.MetarlError, match="unknown distribution of the suite tiny 'PointGoalSpars'"):
        two.limited(["PointGoalSpars"])
    with pytest.raises(metarl.MetarlError, match="steps must be a whole number of at least 1, got 0"):
        BenchmarkOptions("quick", steps=0)
