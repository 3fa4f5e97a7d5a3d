"""MuJoCo's timers: stopped by CPU physics unless a custom clock is set, and running inside `timers.running`."""

import mujoco
import pytest
import torch

from metarl import registry
from metarl.envs.physics import make_physics, timers


@pytest.fixture(autouse=True)
def clock():
    """Unset MuJoCo's clock for a test and restore it afterwards."""
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


def test_cpu_physics_stops_the_timers():
    assert seconds_of_a_step() > 0
    physics()
    assert seconds_of_a_step() == 0


def test_timers_run_only_inside_the_context():
    physics()
    with timers.running():
        assert seconds_of_a_step() > 0
    assert seconds_of_a_step() == 0


def test_custom_clock_is_not_replaced():
    calls = []

    def clock() -> float:
        calls.append(None)
        return float(len(calls))

    mujoco.set_mjcb_time(clock)
    physics()
    assert seconds_of_a_step() > 0
    assert calls


def test_states_do_not_depend_on_the_timers():
    states = []
    for stop in (False, True):
        sim = physics()
        (timers.stop if stop else lambda: mujoco.set_mjcb_time(None))()
        sim.ctrl.fill_(0.3)
        for _ in range(30):
            sim.step(torch.ones(2, dtype=torch.bool))
        states.append(sim.qpos.clone())
    assert torch.equal(*states)
