"""The memory of an update is estimated before it runs; one that does not fit raises an error with a size that fits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import metarl
from metarl import registry
from metarl.agents.ppo.learner import PPOLearner
from metarl.agents.ppo.loss import ppo_loss
from metarl.agents.ppo.memory_budget import needed
from metarl.agents.ppo.presets import RL2Settings
from metarl.runtime import free_memory


def make_learner(num_envs: int, minibatches: int = 2, **settings) -> PPOLearner:
    chosen = RL2Settings(num_envs=num_envs, minibatches=minibatches, epochs=1, **settings)
    return PPOLearner(registry.find("distribution", "PointGoalSparse"), chosen, 0, "cpu")


def planned(learner: PPOLearner) -> int:
    """Return the planned bytes of an update."""
    s = learner.settings
    return needed(learner.policy, partial(ppo_loss, settings=s), may_rest=False).bytes(120, s.num_envs, s.minibatches)


MEASURE = """
import sys
from metarl.runtime.peak_memory import peak
from tests_of_memory import make_learner, planned
make_learner(8).update()
before = peak()
learner = make_learner(**eval(sys.argv[1]))
learner.update()
print(planned(learner) / (peak() - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"num_envs": 512}, {"num_envs": 1024, "memory": "none", "minibatches": 8}])
def test_planned_memory_is_near_the_peak(settings):
    """A new process has no memory left over from before."""
    code = MEASURE.replace("tests_of_memory", Path(__file__).stem)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, repr(settings)], capture_output=True, text=True, check=True, env=environment
    )
    assert 0.6 < float(done.stdout) < 1.8


def test_planned_memory_grows_with_trials_and_shrinks_with_minibatches():
    assert planned(make_learner(64)) == pytest.approx(2 * planned(make_learner(32)))
    assert planned(make_learner(64, minibatches=8)) < planned(make_learner(64))


def test_an_update_that_does_not_fit_raises_with_a_size_that_fits(tmp_path):
    sizes = {"num_envs": 512, "hidden_size": 32, "head_size": 32, "minibatches": 4, "epochs": 1}
    options = {"steps": 1, "memory_gib": 0.02, "threads": 1, "evaluate_every": 0}
    with pytest.raises(metarl.MetarlError, match=r"num_envs 512 x 120 steps takes .* 0\.02 GiB are free") as error:
        metarl.train("rl2", "PointGoalSparse", run_dir=tmp_path / "large", settings=sizes, **options)
    assert not (tmp_path / "large").exists()
    most = int(re.findall(r"num_envs (\d+) is the most", str(error.value))[0])
    assert most % 4 == 0
    assert 4 < most < 512
    metarl.train("rl2", "PointGoalSparse", run_dir=tmp_path / "fits", settings=sizes | {"num_envs": most}, **options)
    with pytest.raises(metarl.MetarlError, match="takes about"):
        metarl.train(
            "rl2", "PointGoalSparse", run_dir=tmp_path / "more", settings=sizes | {"num_envs": most + 4}, **options
        )


def test_an_error_reports_that_nothing_fits():
    with pytest.raises(metarl.MetarlError, match="not even num_envs 2 fits"):
        make_learner(64).check_memory(1000)


def test_free_memory_of_this_machine_is_plausible():
    free = free_memory.free("cpu")
    assert free is None or 2**20 < free < 2**50


def test_free_memory_is_limited_by_the_cgroup(tmp_path, monkeypatch):
    monkeypatch.setattr(free_memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 900000\nfile 600000\ninactive_file 500000\nactive_file 100000\n")
    assert free_memory.free("cpu") == 2_000_000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert free_memory.free("cpu") == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory.free("cpu") != 1_000_000
