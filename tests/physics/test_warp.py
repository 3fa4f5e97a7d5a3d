"""MuJoCo Warp beside C MuJoCo: the same bodies move alike, and what is done to one world is done to no other.

On Warp's CPU device, which compiles its kernels when it first runs a model: these keep to one robot.
"""

import pytest
import torch

from metarl.envs.physics import make_physics

pytest.importorskip("mujoco_warp")

from metarl.envs.physics import warp_model

pytestmark = pytest.mark.xdist_group("warp")  # so that one process compiles

STEPS = 20
FREE = {"HalfCheetah": 2e-3, "Walker2d": 1e-4, "Hopper": 1e-4, "Swimmer": 1e-4, "Pendulum": 1e-4}
CPU = torch.device("cpu")


def drift(both, batched: bool = False) -> float:
    """The most the engines are apart within 20 env steps; together: each of the steps from the same states."""
    worst = 0.0
    for _ in range(STEPS):
        if batched:
            both.meet()
        both.act()
        both.step()
        worst = max(worst, both.apart())
    return worst


def worlds(names):
    return [pytest.param(w, marks=[] if w == "HalfCheetah" else pytest.mark.slow) for w in names]


@pytest.mark.parametrize("world", worlds([*FREE, "Ant", "Humanoid"]))
def test_every_environments_own_body_moves_as_on_cpu(pair, world):
    """Masses, inertias, gears, friction, damping, gravity; elliptic cones; each env step from the same states."""
    both = pair(world)
    both.vary()
    both.reset()
    assert drift(both, batched=True) < 2e-4
    x = both.both[1].qvel[:, -1]
    assert len(torch.unique(x)) == len(x)  # and they did differ


@pytest.mark.parametrize("world", worlds(FREE))
def test_and_does_so_for_20_steps(pair, world):
    """Free running. The Ant is left out: all of its bodies varied, an impact comes a substep sooner or later."""
    both = pair(world)
    both.vary()
    both.reset()
    assert drift(both) < FREE[world]


def test_without_constants_of_their_own_worlds_move_as_another_does(pair, monkeypatch):
    """The trap: mj_setConst's results are written into fields of one value for all."""
    monkeypatch.setattr(warp_model, "_DERIVED", ())
    both = pair("HalfCheetah")
    both.vary()
    both.reset()
    assert drift(both) > 5 * FREE["HalfCheetah"]


def test_derived_constants_are_mujocos(pair):
    both = pair("HalfCheetah")
    both.vary()
    for name in ("body_subtreemass", "body_invweight0", "dof_invweight0", "actuator_acc0"):
        cpu, warp = (physics.field(name) for physics in both.both)
        assert len(torch.unique(cpu.flatten(1)[:, -1])) == 4
        torch.testing.assert_close(warp.double(), cpu, rtol=2e-4, atol=1e-6)


def test_new_bodies_and_resets_leave_the_other_worlds_untouched(pair):
    """Half of the worlds are given other bodies and restarted mid-run; the rest go on to the bit."""
    changed, calm = pair("HalfCheetah"), pair("HalfCheetah")
    some = torch.tensor([True, False, True, False])
    for both in (changed, calm):
        both.vary()
        both.reset()
    for t in range(12):
        for both in (changed, calm):
            both.act()
        if t == 5:
            g = changed.g.get_state()
            changed.vary(mask=some)
            ours, others = changed.both[1], calm.both[1]
            ours.reset(some, ours.default("qpos0").expand_as(ours.qpos), torch.zeros_like(ours.qvel))
            assert torch.equal(ours.qpos[some], ours.default("qpos0").float().expand(2, -1))
            assert not ours.qvel[some].any()
            changed.g.set_state(g)
        for both in (changed, calm):
            both.both[1].step(both.everyone)
        ours, others = changed.both[1], calm.both[1]
        assert torch.equal(ours.qpos[~some], others.qpos[~some])
        assert torch.equal(ours.qvel[~some], others.qvel[~some])
        assert torch.equal(ours.qpos[some], others.qpos[some]) == (t < 5)


def test_worlds_at_rest_stay_where_they_are(pair):
    warp, alone = pair("HalfCheetah").both[1], pair("HalfCheetah").both[1]
    active, everyone = torch.tensor([True, False, True, False]), torch.ones(4, dtype=torch.bool)
    for physics in (warp, alone):
        physics.ctrl.fill_(0.5)
        physics.step(everyone)
    qpos, qvel = warp.qpos.clone(), warp.qvel.clone()
    later = []
    for _ in range(3):
        warp.step(active)
        alone.step(everyone)
        later.append(alone.qpos.clone())
    assert torch.equal(warp.qpos[~active], qpos[~active])
    assert torch.equal(warp.qvel[~active], qvel[~active])
    assert torch.equal(warp.qpos[active], alone.qpos[active])
    for expected in later:  # and then go on as if they had never rested
        warp.step(~active)
        assert torch.equal(warp.qpos[~active], expected[~active])
    assert torch.equal(warp.qpos[active], alone.qpos[active])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e12])
def test_a_world_that_blows_up_is_flagged_and_starts_anew(pair, bad):
    warp, calm = pair("HalfCheetah").both[1], pair("HalfCheetah").both[1]
    everyone = torch.ones(4, dtype=torch.bool)
    for physics in (warp, calm):
        physics.ctrl.fill_(0.3)
        physics.step(everyone)
    warp.qvel[2] = bad
    assert warp.step(everyone).tolist() == [False, False, True, False]
    calm.step(everyone)
    others = [0, 1, 3]
    assert torch.equal(warp.qpos[others], calm.qpos[others])
    assert torch.equal(warp.qpos[2], warp.default("qpos0").float())
    assert not warp.qvel[2].any()
    assert not warp.step(everyone).any()
    calm.step(everyone)
    assert torch.equal(warp.qpos[others], calm.qpos[others])


def test_a_field_asked_for_late_is_not_left_out_of_the_recorded_step(pair):
    warp = pair("HalfCheetah", elliptic=True).both[1]
    everyone = torch.ones(4, dtype=torch.bool)
    for _ in range(3):  # captured by now
        warp.step(everyone)
    warp.field("opt.gravity")[1] = torch.tensor([0.0, 0.0, 9.81])
    before = warp.qvel[:, 1].clone()
    warp.step(everyone)
    rose = warp.qvel[:, 1] - before
    assert rose[1] > rose[0] + 0.3
    assert (rose[[0, 2, 3]] == rose[0]).all()


def test_nor_may_one_be_asked_for_once_an_outer_graph_reads_the_old_place(pair, monkeypatch):
    from metarl.envs.physics import warp as engine
    from metarl.errors import MetarlError

    monkeypatch.setattr(engine, "capture_with_torch", lambda work, device: work)
    physics = pair("HalfCheetah").both[1]
    physics.field("dof_damping")
    physics.capture(lambda: None)
    assert physics.field("dof_damping").shape == (4, 9)
    with pytest.raises(MetarlError, match=r"captured without opt\.gravity .* before the first step"):
        physics.field("opt.gravity")


def test_dropped_contacts_are_seen(pair):
    """With room for one contact in four worlds that lie on the ground."""
    from metarl import registry
    from metarl.envs.physics import Room

    model = registry.find("world", "HalfCheetah").model
    everyone = torch.ones(4, dtype=torch.bool)
    for room, setting in ((Room(12, 60), ""), (Room(1, 60), "contacts"), (Room(12, 2), "constraints")):
        dropped = bool(setting)
        warp = make_physics(model, 4, 5, CPU, "warp", room=room)
        seen = torch.zeros(4, dtype=torch.bool)
        for _ in range(10):
            warp.step(everyone)
            overflowed = warp.overflowed()
            assert overflowed is not None
            seen |= overflowed
        assert bool(seen.any()) == dropped
        told = warp.trouble()
        assert (told is not None) == dropped
        assert told is None or f"raise `{setting}`" in told
        assert warp.trouble() is None
