"""The memory of an update is estimated before it runs; one that does not fit raises an error with a size that fits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import metarl
from metarl import registry
from metarl.agents.maml.learner import MetaLearner
from metarl.agents.maml.memory_budget import bytes_each


def make_learner(agent: str, num_envs: int, tasks: int, distribution: str = "PointNav", **settings) -> MetaLearner:
    agent_type = registry.find("agent", agent)
    chosen = agent_type.settings(num_envs=num_envs, meta_batch_size=tasks, **settings)
    return MetaLearner(registry.find("distribution", distribution), chosen, 0, "cpu")


def planned(learner: MetaLearner) -> float:
    """Return the planned bytes of an update."""
    return learner.env.horizon * learner.env.episodes * learner.settings.num_envs * bytes_each(learner.policy)


MEASURE = """
import sys
from metarl.agents.maml import layers, memory_budget
from metarl.runtime.peak_memory import peak
from tests_of_memory import make_learner, planned
agent, settings, tasks = eval(sys.argv[1])
if tasks == "at once":  # as on a GPU
    layers.CACHE, memory_budget.IN_GROUPS = 2**60, memory_budget.AT_ONCE
make_learner(agent, 8, 2, **settings).update()
before = peak()
learner = make_learner(agent, 2000, 20, **settings)
learner.update()
print(planned(learner) / (peak() - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "settings", "tasks"),
    [
        ("promp", {}, "in groups"), ("promp", {"hidden_size": 128}, "in groups"), ("maml", {}, "in groups"),
        ("promp", {"layers": 3, "inner_steps": 2}, "in groups"), ("reptile", {}, "in groups"),
        ("fomaml", {}, "in groups"), ("promp", {}, "at once"), ("promp", {"layers": 3}, "at once"),
        ("maml", {}, "at once"),
    ],
)  # fmt: skip
def test_planned_memory_is_near_the_peak(agent, settings, tasks):
    """A new process has no memory left over from before."""
    code = MEASURE.replace("tests_of_memory", Path(__file__).stem)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, repr((agent, settings, tasks))], capture_output=True, text=True, check=True,
        env=environment,
    )  # fmt: skip
    print(f"{agent}, {settings}, {tasks}: the plan is {float(done.stdout):.2f} of the peak")
    assert 0.7 < float(done.stdout) < 1.4


def test_an_update_that_does_not_fit_raises_with_the_largest_size_that_fits(tmp_path):
    sizes = {"num_envs": 4000, "meta_batch_size": 20}
    with pytest.raises(metarl.MetarlError, match=r"num_envs 4000 x 40 steps takes about .* num_envs \d+ is") as error:
        metarl.train("promp", "PointNav", steps=10, memory_gib=0.05, run_dir=tmp_path / "more", settings=sizes)
    assert not (tmp_path / "more").exists()
    match = re.search(r"num_envs (\d+) is the most", str(error.value))
    assert match
    most = int(match[1])
    assert most % 20 == 0
    make_learner("promp", most, 20).check_memory(int(0.05 * 2**30))
    with pytest.raises(metarl.MetarlError, match="takes about"):
        make_learner("promp", most + 20, 20).check_memory(int(0.05 * 2**30))


def test_an_error_reports_that_nothing_fits():
    with pytest.raises(metarl.MetarlError, match="not even num_envs 20 fits; fewer tasks take less"):
        make_learner("maml", 40, 20).check_memory(1000)


def test_planes_have_no_estimate():
    make_learner("promp", 8, 2, "Catch", hidden_size=8).check_memory(1)
