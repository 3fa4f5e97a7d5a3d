"""MuJoCo Warp against C MuJoCo: equal models have equal motion, and changes of one world do not affect others.

The tests use Warp's CPU device, which compiles its kernels for each model, so the fast tests use one robot.
"""

import pytest
import torch

from metarl.envs.physics import make_physics

pytest.importorskip("mujoco_warp")

from metarl.envs.physics import warp_model

pytestmark = pytest.mark.xdist_group("warp")  # one process compiles the kernels

STEPS = 20
TOLERANCES = {"HalfCheetah": 2e-3, "Walker2d": 1e-4, "Hopper": 1e-4, "Swimmer": 1e-4, "Pendulum": 1e-4}
CPU = torch.device("cpu")


def drift(engines, synced: bool = False) -> float:
    """Return the largest difference between the engines within 20 env steps; synced: equalise states each step."""
    worst = 0.0
    for _ in range(STEPS):
        if synced:
            engines.sync_states()
        engines.act()
        engines.step()
        worst = max(worst, engines.difference())
    return worst


def worlds(names):
    return [pytest.param(w, marks=[] if w == "HalfCheetah" else pytest.mark.slow) for w in names]


@pytest.mark.parametrize("world", worlds([*TOLERANCES, "Ant", "Humanoid"]))
def test_one_step_with_varied_model_fields_equals_c_mujoco(pair, world):
    """Vary masses, inertias, gears, friction, damping and gravity, with elliptic cones."""
    engines = pair(world)
    engines.vary()
    engines.reset()
    assert drift(engines, synced=True) < 2e-4
    velocity = engines.both[1].qvel[:, -1]
    assert len(torch.unique(velocity)) == len(velocity)  # the worlds differ


@pytest.mark.parametrize("world", worlds(TOLERANCES))
def test_twenty_steps_with_varied_model_fields_equal_c_mujoco(pair, world):
    """Run without synchronisation. The Ant is left out: with varied bodies, impacts differ by a substep."""
    engines = pair(world)
    engines.vary()
    engines.reset()
    assert drift(engines) < TOLERANCES[world]


def test_shared_derived_constants_give_wrong_motion(pair, monkeypatch):
    """If derived fields are not batched, mj_setConst writes one world's constants for all."""
    monkeypatch.setattr(warp_model, "_DERIVED", ())
    engines = pair("HalfCheetah")
    engines.vary()
    engines.reset()
    assert drift(engines) > 5 * TOLERANCES["HalfCheetah"]


def test_derived_constants_equal_c_mujoco(pair):
    engines = pair("HalfCheetah")
    engines.vary()
    for name in ("body_subtreemass", "body_invweight0", "dof_invweight0", "actuator_acc0"):
        cpu, warp = (physics.field(name) for physics in engines.both)
        assert len(torch.unique(cpu.flatten(1)[:, -1])) == 4
        torch.testing.assert_close(warp.double(), cpu, rtol=2e-4, atol=1e-6)


def test_refresh_and_reset_leave_unmasked_worlds_unchanged(pair):
    """Change and reset half of the worlds during a run; the others stay bit-identical to an undisturbed run."""
    changed, reference = pair("HalfCheetah"), pair("HalfCheetah")
    some = torch.tensor([True, False, True, False])
    for engines in (changed, reference):
        engines.vary()
        engines.reset()
    for t in range(12):
        for engines in (changed, reference):
            engines.act()
        if t == 5:
            g = changed.g.get_state()
            changed.vary(mask=some)
            warp = changed.both[1]
            warp.reset(some, warp.default("qpos0").expand_as(warp.qpos), torch.zeros_like(warp.qvel))
            assert torch.equal(warp.qpos[some], warp.default("qpos0").float().expand(2, -1))
            assert not warp.qvel[some].any()
            changed.g.set_state(g)
        for engines in (changed, reference):
            engines.both[1].step(engines.all_envs)
        warp, undisturbed = changed.both[1], reference.both[1]
        assert torch.equal(warp.qpos[~some], undisturbed.qpos[~some])
        assert torch.equal(warp.qvel[~some], undisturbed.qvel[~some])
        assert torch.equal(warp.qpos[some], undisturbed.qpos[some]) == (t < 5)


def test_inactive_worlds_keep_their_state(pair):
    warp, reference = pair("HalfCheetah").both[1], pair("HalfCheetah").both[1]
    active, all_envs = torch.tensor([True, False, True, False]), torch.ones(4, dtype=torch.bool)
    for physics in (warp, reference):
        physics.ctrl.fill_(0.5)
        physics.step(all_envs)
    qpos, qvel = warp.qpos.clone(), warp.qvel.clone()
    later = []
    for _ in range(3):
        warp.step(active)
        reference.step(all_envs)
        later.append(reference.qpos.clone())
    assert torch.equal(warp.qpos[~active], qpos[~active])
    assert torch.equal(warp.qvel[~active], qvel[~active])
    assert torch.equal(warp.qpos[active], reference.qpos[active])
    for expected in later:  # later steps are the same as without the pause
        warp.step(~active)
        assert torch.equal(warp.qpos[~active], expected[~active])
    assert torch.equal(warp.qpos[active], reference.qpos[active])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e12])
def test_diverged_world_is_flagged_and_reset(pair, bad):
    warp, reference = pair("HalfCheetah").both[1], pair("HalfCheetah").both[1]
    all_envs = torch.ones(4, dtype=torch.bool)
    for physics in (warp, reference):
        physics.ctrl.fill_(0.3)
        physics.step(all_envs)
    warp.qvel[2] = bad
    assert warp.step(all_envs).tolist() == [False, False, True, False]
    reference.step(all_envs)
    others = [0, 1, 3]
    assert torch.equal(warp.qpos[others], reference.qpos[others])
    assert torch.equal(warp.qpos[2], warp.default("qpos0").float())
    assert not warp.qvel[2].any()
    assert not warp.step(all_envs).any()
    reference.step(all_envs)
    assert torch.equal(warp.qpos[others], reference.qpos[others])


def test_field_requested_after_the_capture_affects_the_step(pair):
    warp = pair("HalfCheetah", elliptic=True).both[1]
    all_envs = torch.ones(4, dtype=torch.bool)
    for _ in range(3):  # the step is captured now
        warp.step(all_envs)
    warp.field("opt.gravity")[1] = torch.tensor([0.0, 0.0, 9.81])
    before = warp.qvel[:, 1].clone()
    warp.step(all_envs)
    gain = warp.qvel[:, 1] - before
    assert gain[1] > gain[0] + 0.3
    assert (gain[[0, 2, 3]] == gain[0]).all()


def test_field_requested_after_an_outer_capture_raises(pair, monkeypatch):
    from metarl.envs.physics import warp as engine
    from metarl.errors import MetarlError

    monkeypatch.setattr(engine, "capture_with_torch", lambda work, device: work)
    physics = pair("HalfCheetah").both[1]
    physics.field("dof_damping")
    physics.capture(lambda: None)
    assert physics.field("dof_damping").shape == (4, 9)
    with pytest.raises(MetarlError, match=r"captured without opt\.gravity .* before the first step"):
        physics.field("opt.gravity")


def test_dropped_contacts_and_constraints_are_reported(pair):
    """Use buffers that are too small for four worlds on the ground."""
    from metarl import registry
    from metarl.envs.physics import BufferSizes

    model = registry.find("world", "HalfCheetah").model
    all_envs = torch.ones(4, dtype=torch.bool)
    for sizes, setting in (((12, 60), ""), ((1, 60), "contacts"), ((12, 2), "constraints")):
        dropped = bool(setting)
        warp = make_physics(model, 4, 5, CPU, "warp", buffer_sizes=BufferSizes(*sizes))
        flagged = torch.zeros(4, dtype=torch.bool)
        for _ in range(10):
            warp.step(all_envs)
            overflowed = warp.overflowed()
            assert overflowed is not None
            flagged |= overflowed
        assert bool(flagged.any()) == dropped
        warning = warp.overflow_warning()
        assert (warning is not None) == dropped
        assert warning is None or f"raise `{setting}`" in warning
        assert warp.overflow_warning() is None
