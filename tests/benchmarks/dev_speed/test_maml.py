"""The meta-gradients of `dev_speed maml` agree with one another, and the time shares of a meta-iteration sum to one."""

import json
import sys
from typing import Any

import pytest
import torch

from metarl import get
from metarl.benchmarks.dev_speed.__main__ import main
from metarl.benchmarks.dev_speed.maml import PEER, WAYS, left_out
from metarl.benchmarks.dev_speed.meta_gradient import MetaGradient
from metarl.benchmarks.dev_speed.meta_iteration import PARTS, MetaIteration
from metarl.benchmarks.dev_speed.meta_update import LOOPS, MetaUpdate


def test_all_ways_compute_the_same_meta_gradient():
    ways = [way for way in WAYS if way != PEER or left_out() is None]
    sides = {way: MetaGradient(way, tasks=3, rows=5, hidden_size=4) for way in ways}
    gradients = {}
    for way, side in sides.items():
        weights: list[Any] = side.weights()
        g = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in weights:
                value = torch.randn(weight.shape if way == "batched" else weight.t().shape, generator=g) * 0.5
                weight.copy_(value if way == "batched" else value.t())
        assert side.work() == 2 * 3 * 5
        gradients[way] = [w.grad if way == "batched" else w.grad.t() for w in weights]
    for way in ways[1:]:
        torch.testing.assert_close(gradients[way], gradients["batched"])


def test_the_batched_outer_gradient_of_promp_equals_loops_over_tasks():
    """The weights differ from those that sampled the meta-batch."""
    iteration = MetaIteration(get("HalfCheetahDirH100"), "promp", num_envs=6, meta_batch_size=3, hidden_size=16)
    iteration.work()
    sides = {way: MetaUpdate(iteration, way) for way in ("batched", *LOOPS)}
    g, gradients = torch.Generator().manual_seed(0), {}
    with torch.no_grad():
        for weight in sides["batched"].weights():
            weight += 0.1 * torch.randn(weight.shape, generator=g)
    for way, side in sides.items():
        assert side.work() == 2 * 6 * 100
        gradients[way] = [weight.grad for weight in side.weights()]
    for way in LOOPS:
        torch.testing.assert_close(gradients[way], gradients["batched"], rtol=1e-4, atol=1e-6)
    iteration.close()


def test_a_missing_learn2learn_is_the_reason_for_its_absence(monkeypatch):
    monkeypatch.setitem(sys.modules, "learn2learn.algorithms.maml", None)
    assert "learn2learn.algorithms.maml is not installed" in str(left_out())


def test_time_shares_of_a_meta_iteration_sum_to_one():
    side = MetaIteration(get("HalfCheetahDirH100"), "promp", num_envs=4, meta_batch_size=2, hidden_size=4)
    side.warm_up()
    assert side.work() == 2 * 4 * 100
    assert set(side.shares) == set(PARTS)
    assert sum(side.shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in side.shares.values())
    side.close()


def test_maml_prints_shares_and_ratios_and_writes_its_samples(tmp_path, capsys, monkeypatch):
    small = ["--meta-batch-size", "2", "--rollouts", "1", "--outer-epochs", "1", "--rounds", "1", "--threads", "1"]
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("metarl.benchmarks.dev_speed.maml.SECONDS", 0.0)
    assert main(["maml", *small, "--json", str(tmp_path / "speed.json")]) == 0
    printed = capsys.readouterr().out
    assert "outer steps" in printed
    assert "x a loop over tasks" in printed
    assert "torch.distributions" in printed
    data = json.loads((tmp_path / "speed.json").read_text())
    assert sum(data["shares"].values()) == pytest.approx(1)
    assert len(data["samples"]["batched, 20 rows"]) == 1
