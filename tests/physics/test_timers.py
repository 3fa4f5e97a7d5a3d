"""MuJoCo's stopwatch: stopped by our physics, unless it is somebody's own; running where that is asked for."""

import mujoco
import pytest
import torch

from metarl import registry
from metarl.envs.physics import make_physics, timers


@pytest.fixture(autouse=True)
def clock():
    """As it was, whatever a test does to it."""
    before = mujoco.get_mjcb_time()
    mujoco.set_mjcb_time(None)
    yield
    mujoco.set_mjcb_time(before)


def seconds_of_a_step() -> float:
    model = registry.find("world", "HalfCheetah").model
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 10)
    timer = data.timer[int(mujoco.mjtTimer.mjTIMER_STEP)]
    assert timer.number == 10
    return timer.duration


def physics():
    return make_physics(registry.find("world", "HalfCheetah").model, 2, 5, torch.device("cpu"))


def test_our_physics_stops_it():
    assert seconds_of_a_step() > 0
    physics()
    assert seconds_of_a_step() == 0


def test_it_runs_where_asked_to_and_stands_still_after():
    physics()
    with timers.running():
        assert seconds_of_a_step() > 0
    assert seconds_of_a_step() == 0


def test_a_clock_of_ones_own_is_left_alone():
    read = []

    def mine() -> float:
        read.append(None)
        return float(len(read))

    mujoco.set_mjcb_time(mine)
    physics()
    assert seconds_of_a_step() > 0
    assert read


def test_states_do_not_depend_on_it():
    ends = []
    for stop in (False, True):
        sim = physics()
        (timers.stop if stop else lambda: mujoco.set_mjcb_time(None))()
        sim.ctrl.fill_(0.3)
        for _ in range(30):
            sim.step(torch.ones(2, dtype=torch.bool))
        ends.append(sim.qpos.clone())
    assert torch.equal(*ends)
