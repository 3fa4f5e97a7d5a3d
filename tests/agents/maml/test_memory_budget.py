"""The memory that a meta-iteration takes is known before it; what does not fit is refused with a size that does."""

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


def learner(agent: str, num_envs: int, tasks: int, distribution: str = "PointNav", **settings) -> MetaLearner:
    kind = registry.find("agent", agent)
    chosen = kind.settings(num_envs=num_envs, meta_batch_size=tasks, **settings)
    return MetaLearner(registry.find("distribution", distribution), chosen, 0, "cpu")


def planned(made: MetaLearner) -> float:
    return made.env.horizon * made.env.episodes * made.settings.num_envs * bytes_each(made.policy)


TAKEN = """
import sys
from metarl.agents.maml import layers, memory_budget
from metarl.runtime.peak_memory import peak
from tests_of_memory import learner, planned
agent, settings, way = eval(sys.argv[1])
if way == "at once":  # as on a device
    layers.CACHE, memory_budget.IN_GROUPS = 2**60, memory_budget.AT_ONCE
learner(agent, 8, 2, **settings).update()
before = peak()
made = learner(agent, 2000, 20, **settings)
made.update()
print(planned(made) / (peak() - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "settings", "way"),
    [
        ("promp", {}, "in groups"), ("promp", {"hidden_size": 128}, "in groups"), ("maml", {}, "in groups"),
        ("promp", {"layers": 3, "inner_steps": 2}, "in groups"), ("reptile", {}, "in groups"),
        ("fomaml", {}, "in groups"), ("promp", {}, "at once"), ("promp", {"layers": 3}, "at once"),
        ("maml", {}, "at once"),
    ],
)  # fmt: skip
def test_what_is_planned_is_what_is_taken(agent, settings, way):
    """In a process of its own, which has no memory left over from before."""
    code = TAKEN.replace("tests_of_memory", Path(__file__).stem)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, repr((agent, settings, way))], capture_output=True, text=True, check=True,
        env=environment,
    )  # fmt: skip
    print(f"{agent}, {settings}, {way}: planned is {float(done.stdout):.2f} of what was taken")
    assert 0.7 < float(done.stdout) < 1.4


def test_the_largest_size_that_fits_is_told_and_fits(tmp_path):
    sizes = {"num_envs": 4000, "meta_batch_size": 20}
    with pytest.raises(metarl.MetarlError, match=r"num_envs 4000 x 40 steps takes about .* num_envs \d+ is") as error:
        metarl.train("promp", "PointNav", steps=10, memory_gib=0.05, run_dir=tmp_path / "more", settings=sizes)
    assert not (tmp_path / "more").exists()
    found = re.search(r"num_envs (\d+) is the most", str(error.value))
    assert found
    most = int(found[1])
    assert most % 20 == 0
    learner("promp", most, 20).check_memory(int(0.05 * 2**30))
    with pytest.raises(metarl.MetarlError, match="takes about"):
        learner("promp", most + 20, 20).check_memory(int(0.05 * 2**30))


def test_where_nothing_fits_that_is_said():
    with pytest.raises(metarl.MetarlError, match="not even num_envs 20 fits; fewer tasks take less"):
        learner("maml", 40, 20).check_memory(1000)


def test_pictures_are_not_planned():
    learner("promp", 8, 2, "Catch", hidden_size=8).check_memory(1)
