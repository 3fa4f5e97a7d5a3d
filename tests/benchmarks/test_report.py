"""The report of results with known returns: numbers, files, and merging of folders."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import metarl
from metarl.benchmarks.commands.report import ReportOptions, run, write_report
from metarl.benchmarks.job.benchmark_folder import PLAN, BenchmarkFolder, RunKey
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.sentences import answers, notices, verdicts
from metarl.benchmarks.report.summary import Sample
from metarl.benchmarks.results.load_results import load_eval, load_results
from metarl.benchmarks.results.results import SeedResults
from metarl.benchmarks.statistics.bootstrap import Resampling
from metarl.training import eval_file
from metarl.training.evaluate import EvalResult

Invent = Callable[..., Path]
WHERE = "PointGoalSparse"
REWARDS = {"random": (0.0, 0.0), "oracle": (1.0, 1.0), "rl2": (0.25, 0.75), "rl2, memory wiped": (0.25, 0.25)}


@pytest.fixture(scope="session")
def invent(finished: BenchmarkFolder) -> Invent:
    """A function invent(out, seeds=6, rewards=...) that writes a benchmark's folder with made-up results.

    rewards: method -> rewards per step in the first and second half of a trial. Seeds differ by 0.01, tasks by 0.02.
    """

    def make(out: Path, seeds: int = 6, rewards: dict[str, Any] = REWARDS) -> Path:
        out.mkdir()
        shutil.copytree(finished.path / "tasks", out / "tasks")
        (out / PLAN).write_text(json.dumps({**finished.plan, "seeds": seeds}))
        folder = BenchmarkFolder.open(out)
        meta = load_eval(finished, RunKey(WHERE, "rl2", 0)).meta
        for run_key in folder.run_keys():
            eval_sets = {}
            for eval_set in ("test", "ood", "long"):
                tasks = folder.tasks(folder.suite.entries[0], eval_set)
                episodes = 4 if eval_set == "long" else 2
                shift = 0.01 * (run_key.seed - (seeds - 1) / 2) if folder.methods[run_key.method].trains else 0.0
                tilt = 0.02 * (np.arange(len(tasks)) - (len(tasks) - 1) / 2)
                halves = np.repeat(rewards[run_key.method], episodes // 2)
                reward = (halves[:, None, None, None] + shift + tilt[:, None]) * np.ones((episodes, 40, len(tasks), 2))
                mask = np.ones(reward.shape, bool)
                eval_sets[eval_set] = {run_key.method: EvalResult(tasks, reward.astype(np.float32), mask, 0)}
            own = {"method": run_key.method, "seed": run_key.seed, "trained": folder.methods[run_key.method].trains}
            folder.at(run_key).mkdir(parents=True)
            eval_file.write(folder.at(run_key) / "eval.npz", eval_sets, {**meta, **own})
        return out

    return make


@pytest.fixture(scope="session")
def invented(invent: Invent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invent(tmp_path_factory.mktemp("invented") / "out")


@pytest.fixture(scope="session")
def data(invented: Path) -> dict[str, Any]:
    return document(load_results([invented]))


@pytest.fixture(scope="session")
def written(invented: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    write_report([invented], out, Console(quiet=True))
    return out


# Numbers --------------------------------------------------------------------------------------------------------------


def test_scores_of_known_rewards(data: dict[str, Any]) -> None:
    """The oracle scores 1 and random 0 in every episode; rl2 scores 0.25, then 0.75; wiped, it scores 0.25."""
    tests = {name: method["eval_sets"]["test"] for name, method in data["distributions"][0]["methods"].items()}
    auac = {name: test["auac"]["iqm"] for name, test in tests.items()}
    assert auac == pytest.approx({"rl2": 0.5, "random": 0.0, "oracle": 1.0, "rl2, memory wiped": 0.25}, abs=1e-3)
    gains = {name: test["gain"]["mean"] for name, test in tests.items()}
    assert gains == pytest.approx({"rl2": 0.5, "random": 0.0, "oracle": 0.0, "rl2, memory wiped": 0.0}, abs=1e-6)
    assert tests["rl2"]["regret"] == pytest.approx(2 * 0.5, abs=1e-2)
    assert tests["rl2"]["curve"]["mean"] == pytest.approx([0.25] * 10 + [0.75] * 10, abs=1e-6)
    assert tests["rl2"]["reached"]["0.5"]["solved"] == 1.0
    assert tests["rl2"]["reached"]["0.5"]["restricted_mean"] == 80  # by the end of the second episode
    assert tests["rl2"]["reached"]["0.9"]["solved"] == 0.0
    assert tests["oracle"]["reached"]["0.9"]["restricted_mean"] == 40


def test_intervals_comparisons_and_ranks(data: dict[str, Any]) -> None:
    d = data["distributions"][0]
    auac = d["methods"]["rl2"]["eval_sets"]["test"]["auac"]
    assert auac["low"] < 0.5 < auac["high"]
    assert auac["seeds"] == pytest.approx(0.5 + 0.01 * (np.arange(6) - 2.5), abs=2e-3)
    assert d["methods"]["random"]["eval_sets"]["test"]["auac"]["low"] is None  # it has no training seeds
    pair = next(row for row in d["comparisons"] if (row["a"], row["b"]) == ("rl2", "rl2, memory wiped"))
    assert pair["difference"] == pytest.approx(0.25, abs=1e-3)
    assert pair["low"] == pytest.approx(pair["high"], abs=1e-5)  # the same weights and tasks have the same draws
    assert pair["improvement"] == 1.0
    assert all("random" not in (row["a"], row["b"]) for row in d["comparisons"])
    rows = {row["method"]: row for row in data["headline"]}
    assert [row["method"] for row in data["headline"]] == ["oracle", "rl2", "rl2, memory wiped", "random"]
    assert (rows["rl2"]["rank"], rows["rl2"]["rank_low"], rows["rl2"]["rank_high"]) == (1, 1, 1)
    assert "rank" not in rows["oracle"]  # score anchors are not ranked
    assert d["methods"]["rl2"]["gaps"]["test - ood"]["difference"] == pytest.approx(0.0, abs=0.02)


def test_fewer_than_five_seeds_have_no_intervals_and_are_preliminary(invent: Invent, tmp_path: Path) -> None:
    few = document(load_results([invent(tmp_path / "out", seeds=4)]))
    row = few["distributions"][0]["methods"]["rl2"]
    assert row["preliminary"]
    assert row["eval_sets"]["test"]["auac"]["low"] is None
    assert len(row["eval_sets"]["test"]["auac"]["seeds"]) == 4
    assert all(row["low"] is None for row in few["headline"])
    assert any(line.startswith("Preliminary: fewer than 5") for line in answers(few))


def test_verdicts_report_each_pair_once_and_follow_the_intervals() -> None:
    def pair(a: str, b: str, difference: float, low: float, high: float) -> dict[str, Any]:
        return {"a": a, "b": b, "difference": difference, "low": low, "high": high}

    rows = [
        pair("ours", "theirs", 0.5, 0.3, 0.6), pair("wiped", "ours", -0.2, -0.4, -0.1),
        pair("third", "ours", 0.1, -0.1, 0.3), pair("theirs", "third", -0.3, -0.5, -0.2),
        pair("wiped", "theirs", 1.0, 0.9, 1.1),
    ]  # fmt: skip
    headline = [{"method": name, "control": name == "wiped"} for name in ("ours", "theirs", "third", "wiped")]
    methods = {name: {"of": "ours" if name == "wiped" else None} for name in ("ours", "theirs", "third", "wiped")}
    assert verdicts({"headline": headline, "methods": methods}, {"comparisons": rows, "scratch": None}) == [
        "ours is better than theirs by 0.50 [0.30, 0.60] and wiped by 0.20 [0.10, 0.40]; "
        "it does not differ significantly from third.",
        "theirs is worse than third by 0.30 [0.20, 0.50].",
    ]


def test_rates_are_the_mean_rewards_in_time_bins_of_an_episode() -> None:
    reward = np.random.default_rng(0).normal(size=(2, 23, 3, 2)).astype(np.float32)
    result = SeedResults.of(0, eval_file.SavedEval(reward, np.full((2, 3, 2), 23), ""))
    edges = np.linspace(0, 23, 11).astype(int)
    for b in range(10):
        part = reward[:, edges[b] : edges[b + 1]].mean((1, 3))
        np.testing.assert_allclose(result.rates[0, :, b], part, rtol=1e-5)
    assert result.time[[0, 10]].tolist() == [1.0, 24.0]
    assert SeedResults.of(0, eval_file.SavedEval(reward[:, :4], np.full((2, 3, 2), 4), "")).rates.shape == (1, 2, 4, 3)


def test_samples_of_the_same_tasks_or_the_same_weights_have_the_same_draws() -> None:
    def resampling(weights: str, tasks: str) -> Resampling:
        return Sample.of(np.zeros((5, 8)), weights, tasks, trained=True).resampling

    a, b = resampling("rl2", "X"), resampling("ppo", "X")
    assert np.array_equal(a.tasks, b.tasks)
    assert not np.array_equal(a.seeds, b.seeds)
    assert np.array_equal(a.seeds, resampling("rl2", "X").seeds)
    assert not np.array_equal(a.tasks, resampling("rl2", "Y").tasks)


# Files ----------------------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """A parser that collects the addresses a page loads, and checks that its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [
            value or "" for name, value in attrs if name in ("src", "srcset") or (tag, name) == ("link", "href")
        ]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_one_file_that_loads_nothing(written: Path) -> None:
    text = (written / "report.html").read_text()
    page = Links()
    page.feed(text)
    assert not page.open
    assert len(page.sources) >= 6
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert "<script" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_all_files_have_the_same_numbers(written: Path, data: dict[str, Any]) -> None:
    read = json.loads((written / "report.json").read_text())
    assert (read["format"], read["schema"]) == ("metarl report", 3)
    assert read["headline"] == json.loads(json.dumps(data["headline"]))
    assert "| rl2 | agent | 0.50 [" in (written / "report.md").read_text()
    rows = (written / "report.csv").read_text().splitlines()
    assert rows[0].startswith("distribution,eval_set,method,seeds,score,iqm,low,high")
    assert f"{WHERE},test,rl2,6,auac," in "\n".join(rows)
    with np.load(written / "rliable.npz") as matrices:
        assert matrices["rl2"].shape == (6, 5)
        assert matrices["rl2"].mean() == pytest.approx(0.5, abs=1e-3)
    names = {path.name for path in (written / "figures").iterdir()}
    assert {f"{WHERE}-adaptation.svg", f"{WHERE}-adaptation.png", "headline.png", f"{WHERE}-long.png"} <= names


def test_names_are_escaped_in_the_page(invented: Path, data: dict[str, Any]) -> None:
    from metarl.benchmarks.report.page import page

    renamed = json.loads(json.dumps(data).replace('"rl2"', '"<script>alert(1)</script>"'))
    assert "<script" not in page(renamed, {})


# Merging --------------------------------------------------------------------------------------------------------------


def test_seeds_of_two_folders_are_merged(invent: Invent, tmp_path: Path) -> None:
    a, b = invent(tmp_path / "a"), invent(tmp_path / "b")
    for out, removed in ((a, range(3, 6)), (b, range(3))):
        for path in out.rglob("seed-*"):
            if int(path.name[-1]) in removed and "random" not in str(path):
                shutil.rmtree(path)
    merged = load_results([a, b])
    assert merged.evals[WHERE, "rl2", "test"].seeds == tuple(range(6))
    assert not merged.unfinished
    single = load_results([invent(tmp_path / "single")])
    assert np.array_equal(merged.evals[WHERE, "rl2", "test"].returns, single.evals[WHERE, "rl2", "test"].returns)
    run(ReportOptions((str(a), str(b)), out=str(tmp_path / "report")))
    assert (tmp_path / "report" / "report.html").exists()


def test_different_tasks_are_refused_and_different_worlds_cause_a_warning(
    invent: Invent, tmp_path: Path, invented: Path
) -> None:
    other = invent(tmp_path / "other")
    plan = json.loads((other / PLAN).read_text())
    plan["hashes"][WHERE]["test"] = "f" * 64
    (other / PLAN).write_text(json.dumps(plan))
    with pytest.raises(metarl.MetarlError, match=rf"have different tasks: {WHERE}, test, has hash .* and ffffffffffff"):
        load_results([invented, other])
    moved = invent(tmp_path / "moved")
    for path in moved.rglob("eval.npz"):
        with np.load(path) as arrays:
            changed = {name: arrays[name] for name in arrays.files}
        changed["meta"] = np.array(re.sub(r'"mujoco": "[^"]*"', '"mujoco": "9.9"', str(changed["meta"]), count=1))
        np.savez(path, **changed)
    warnings = notices(document(load_results([invented, moved])))
    assert any("come from 2 different worlds" in line and "9.9" in line for line in warnings)


def test_two_different_results_of_one_run_key_are_refused(invent: Invent, tmp_path: Path, invented: Path) -> None:
    other = invent(tmp_path / "other", rewards=REWARDS | {"rl2": (0.0, 1.0)})
    with pytest.raises(metarl.MetarlError, match=r"two different results for rl2 on PointGoalSparse, seed 0"):
        load_results([invented, other])
    with pytest.raises(metarl.MetarlError, match=r"is no benchmark's folder"):
        load_results([invented, tmp_path])
