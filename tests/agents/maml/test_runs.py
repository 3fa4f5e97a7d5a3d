"""Training runs of the MAML family: they resume bit for bit, and stay intact if a gradient is not finite."""

from pathlib import Path

import pytest
import torch

import metarl
from metarl import MetarlError
from metarl.agents.maml import learner
from metarl.agents.maml.advantages import compute_advantages
from metarl.cli.main import main

UPDATE = 2 * 8 * 20  # env steps: two batches of 8 rollouts of 20 steps
SMALL = {"num_envs": 8, "meta_batch_size": 2, "hidden_size": 4}


def train(path: Path, agent: str, updates: int, **options) -> Path:
    return metarl.train(
        agent, "PointNav", steps=updates * UPDATE, run_dir=str(path), evaluate_every=0, checkpoint_every=UPDATE,
        threads=1, settings=SMALL, **options,
    )  # fmt: skip


@pytest.mark.parametrize("agent", ["promp", "maml"])
def test_a_resumed_run_equals_an_uninterrupted_one(agent, tmp_path):
    whole = train(tmp_path / "whole", agent, 4)
    train(tmp_path / "parts", agent, 2)
    parts = train(tmp_path / "parts", agent, 4, resume=True)
    assert (parts / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    resumed, expected = (
        torch.load(run / "checkpoint.pt", weights_only=True)["learner"]["policy"] for run in (parts, whole)
    )
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)


def test_a_gradient_that_is_not_finite_ends_the_run_and_keeps_its_last_checkpoint(tmp_path, monkeypatch):
    path = train(tmp_path / "run", "promp", 2)
    before = (path / "checkpoint.pt").read_bytes()

    def infinite_advantages(batch, *args):
        to_go = compute_advantages(batch, *args)
        batch.advantage[1] = torch.inf
        return to_go

    monkeypatch.setattr(learner, "compute_advantages", infinite_advantages)
    with pytest.raises(
        MetarlError, match=r"inner gradient of task 1 \(\{'goal': .*\}\) is not finite: the last checkpoint"
    ):
        train(path, "promp", 4, resume=True)
    assert (path / "checkpoint.pt").read_bytes() == before
    monkeypatch.undo()
    assert train(path, "promp", 3, resume=True) == path


def test_settings_are_read_from_the_command_line(tmp_path, capsys):
    """Numbers, booleans and strings are parsed; the error for an invalid value names the setting."""
    path = str(train(tmp_path / "run", "promp", 1))
    options = ["evaluate", path, "--split=test", "--tasks=2", "--replicates=1", "--episodes=3", "--settings"]
    assert main([*options, "trial_shots=2", "inner_lr=0.3", "head_only=true", "surrogate=dice"]) == 0
    for setting in ("inner_lr=high", "trial_shots=1.5", "gamma=2", "surrogate=dise"):
        assert main([*options, setting]) == 1
        assert setting.partition("=")[0] in capsys.readouterr().err
