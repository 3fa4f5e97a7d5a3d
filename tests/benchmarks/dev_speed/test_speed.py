"""`metarl speed`: who is measured, in which order, and what is made of the samples; never how fast they are."""

import json
import sys
from importlib.util import find_spec
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
import tyro
from mujoco import mjtStage
from rich.console import Console

import metarl
from metarl import registry
from metarl.agents.networks import gru_steps
from metarl.benchmarks.dev_speed import peers
from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
from metarl.benchmarks.dev_speed.command import COMMAND, SpeedOptions, plans
from metarl.benchmarks.dev_speed.loop import PARTS, TrainingLoop
from metarl.benchmarks.dev_speed.report import TARGETS, Report
from metarl.benchmarks.dev_speed.tensors import TensorEnvironment
from metarl.benchmarks.dev_speed.timing import Sample, Side, measure, summary, take_turns
from metarl.benchmarks.dev_speed.variation import ASSIGNMENTS, NewTasks, with_neutral_physics, with_varied_physics
from metarl.benchmarks.dev_speed.vectors import our_face
from metarl.errors import MetarlError
from metarl.runtime import distributed, threads

SHORT = """
import metarl

Short = metarl.TaskDistribution(
    "ShortCheetah", world="HalfCheetah", goal="velocity", parameters={"velocity": metarl.Uniform(0.0, 3.0)}, horizon=4,
    episodes=2)
"""


ANT = metarl.TaskDistribution(
    "ShortAnt", world="Ant", goal="velocity", parameters={"velocity": metarl.Uniform(0.0, 3.0)}, horizon=4, episodes=1,
    settings={"frame_skip": 2},
)  # fmt: skip


class Ten(Side):
    """Takes three seconds of a clock of its own for ten steps."""

    now = 0.0

    def work(self) -> int:
        self.now += 3.0
        return 10


@pytest.fixture
def short(tmp_path):
    """A reference to a distribution whose trials are two episodes of four steps."""
    path = tmp_path / "short.py"
    path.write_text(SHORT)
    return f"{path}:Short"


@pytest.mark.parametrize(("seconds", "units"), [(0, 1), (3, 1), (3.5, 2), (9, 3)])
def test_whole_units_for_at_least_the_time_asked(seconds, units):
    side = Ten()
    assert measure(side, seconds, clock=lambda: side.now) == Sample(10 * units, 3.0 * units)


def test_sides_take_turns_and_rounds_begin_with_another():
    assert "".join(take_turns("abc", 4)) == "abcbcacababc"


def test_a_rate_is_the_median_over_rounds():
    rate = summary([Sample(10, 1.0), Sample(10, 0.1), Sample(10, 2.0)])
    assert (rate.median, rate.low, rate.high) == (10.0, 5.0, 100.0)


def test_a_ratio_is_of_medians_and_has_its_floor():
    samples = {"bare": ("bare", [Sample(10, 1.0), Sample(99, 1.0), Sample(1, 1.0)]), "tensor": ("t", [Sample(9, 1.0)])}
    report = Report({}, {}, samples, {}, {}, None)
    assert [(target.side, target.reference, target.floor, ratio) for target, ratio in report.ratios()] == [
        ("tensor", "bare", 0.85, 0.9)
    ]


def test_a_floor_is_told_for_the_robot_it_was_set_for():
    samples = {"tensor": ("ours", [Sample(9, 1.0)]), "sync": ("theirs", [Sample(4, 1.0)])}
    machine = {"cpu": "a cpu", "cores": 2, "threads": 2, "load": 0.0, "versions": {}}
    printed = {}
    for robot in ("HalfCheetah", "Ant"):
        console = Console(record=True, width=200)
        Report(machine, {"distribution": "D"}, samples, {}, {}, None, robot).print(console)
        printed[robot] = console.export_text()
    assert all("2.25" in text for text in printed.values())
    assert "✗ 3" in printed["HalfCheetah"]
    assert "✗" not in printed["Ant"]


def test_bare_physics_replays_a_trial_to_the_bit(short):
    distribution = registry.find("distribution", short)
    bare = BarePhysics(distribution, 3)
    lived = bare.qpos.copy(), bare.qvel.copy()
    assert bare.work() == 2 * 4 * 3
    np.testing.assert_array_equal(bare.qpos, lived[0])
    np.testing.assert_array_equal(bare.qvel, lived[1])
    assert np.abs(lived[1]).max() > 0.1


def test_bare_physics_with_derived_fields_replays_the_same_states():
    plain, derived = (BarePhysics(ANT, 2, derived=derived) for derived in (False, True))
    assert (plain.stage, derived.stage) == (mjtStage.mjSTAGE_NONE, mjtStage.mjSTAGE_ACC)
    assert plain.work() == derived.work()
    np.testing.assert_array_equal(plain.qpos, derived.qpos)


def test_stock_physics_replays_the_same_states_with_mujocos_clock(short, monkeypatch):
    distribution = registry.find("distribution", short)
    ours, stock = BarePhysics(distribution, 3), StockPhysics(distribution, 3)
    assert ours.work() == stock.work()
    np.testing.assert_array_equal(ours.qpos, stock.qpos)
    np.testing.assert_array_equal(ours.qvel, stock.qvel)
    assert stock.batch is not ours.batch
    clocks = []
    monkeypatch.setattr(BarePhysics, "work", lambda side: clocks.append(mujoco.get_mjcb_time()) or 0)
    for side in (stock, ours):
        side.work()
    assert clocks[0] is None
    assert clocks[1] is not None


def test_a_robot_whose_model_tasks_change_has_no_stock_physics():
    with pytest.raises(MetarlError, match="no one model"):
        StockPhysics(registry.find("distribution", "HopperRandParams"), 2)


def test_calls_that_reset_are_not_counted_as_steps(short):
    distribution = registry.find("distribution", short)
    face = our_face(distribution, 3)
    assert len(face.actions) == 2 * (4 + 1)  # an episode, and the call that begins the next one
    assert [face.work(), face.work()] == [2 * 4 * 3, 2 * 4 * 3]
    face.close()


def test_each_trial_is_on_new_tasks(short):
    side = TensorEnvironment(registry.find("distribution", short), 2)
    seen = []
    for _ in range(2):
        assert side.work() == 2 * 4 * 2
        seen.append(side.env.environment.task["velocity"])
    assert not torch.equal(*seen)


def test_training_time_is_shared_out(short):
    with threads.using(1):
        loop = TrainingLoop(short, "rl2", num_envs=4, hidden_size=8, epochs=1)
        loop.warm_up()
        assert loop.work() == 2 * 4 * 4
        loop.close()
    assert list(loop.shares) == list(PARTS)
    assert all(share > 0 for share in loop.shares.values())
    assert sum(loop.shares.values()) == pytest.approx(1.0)


@pytest.mark.slow
def test_two_processes_are_measured_as_one():
    with threads.using(1):
        loop = TrainingLoop("PointGoalSparse", "rl2", processes=2, num_envs=4, hidden_size=8, epochs=1)
        assert [loop.work(), loop.work()] == [4 * 120] * 2
        loop.close()
    assert distributed.size() == 1


def test_a_world_without_counterpart_has_no_peers():
    with pytest.raises(MetarlError, match="Gymnasium has no PointMass-v5"):
        peers.gymnasium_sync(registry.find("distribution", "PointGoalSparse"), 2)


def test_peers_take_as_many_physics_steps():
    [make, *_] = peers._singles(ANT, 2)
    theirs: Any = make().unwrapped
    assert theirs.frame_skip == ANT.make().environment.simulation.physics.frame_skip == 2  # type: ignore[attr-defined]


def test_a_peer_that_is_not_installed_names_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(MetarlError, match=r"pip install 'metarl\[bench\]'"):
        peers.env_pool(registry.find("distribution", "HalfCheetahVel"), 2, 1)


def test_options_are_checked_and_read_from_the_command_line():
    options = tyro.cli(COMMAND.options, args=["--num-envs", "8", "--no-peers", "--seconds", "0.5"])
    assert options == SpeedOptions(num_envs=8, peers=False, seconds=0.5)
    with pytest.raises(MetarlError, match="rounds must be at least 1, got 0"):
        SpeedOptions(rounds=0)
    with pytest.raises(MetarlError, match="threads 4096 are more than"):
        COMMAND.run(SpeedOptions(threads=4096))


def test_every_target_is_of_sides_that_are_planned():
    planned = plans(SpeedOptions(), registry.find("distribution", "HalfCheetahVel"), 1)
    assert {side for target in TARGETS for side in (target.side, target.reference)} == set(planned) - {"meta_training"}


def test_a_tiny_run_measures_everything_but_peers(short, tmp_path, capsys):
    path = tmp_path / "speed.json"
    COMMAND.run(_tiny(short, peers=False, rounds=3, json=path))
    found = json.loads(path.read_text())
    ours = {"stock", "bare", "tensor", "face", "own_bare", "own_tensor", "new_tasks", "tensor_train", "training"}
    ours |= {"one_process", "torch_steps", "meta_training"} if gru_steps.COMPILED else {"one_process", "meta_training"}
    assert set(found["sides"]) == ours
    assert all(len(side["samples"]) == 3 and side["median"] > 0 for side in found["sides"].values())
    assert "bare + derived, 4" in found["left_out"]  # a cheetah reads none
    assert len(found["left_out"]) == (1 if gru_steps.COMPILED else 2)
    assert found["training_peak_memory_bytes"] > 2**25
    assert found["machine"]["cores"] >= found["machine"]["threads"] >= 1
    assert found["machine"]["versions"]["mujoco"]
    printed = capsys.readouterr().out
    assert all(side["about"] in printed for side in found["sides"].values())


def test_some_sides_alone(short):
    distribution = registry.find("distribution", short)
    options = tyro.cli(COMMAND.options, args=["--sides", "bare", "face", "sync", "--no-peers"])
    assert list(plans(options, distribution, 1)) == ["bare", "face"]
    with pytest.raises(MetarlError, match="unknown side 'envpol'; did you mean 'envpool'"):
        plans(SpeedOptions(sides=("envpol",)), distribution, 1)


@pytest.mark.slow
def test_a_tiny_run_beside_every_peer(short, tmp_path, capsys):
    path = tmp_path / "speed.json"
    COMMAND.run(_tiny(short, json=path))
    found = json.loads(path.read_text())
    wanted = plans(SpeedOptions(), registry.find("distribution", short), 1)
    assert len(found["sides"]) + len(found["left_out"]) == len(wanted)
    assert len(found["ratios"]) == sum({t.side, t.reference} <= set(found["sides"]) for t in TARGETS)
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"left out: {about}" in printed for about in found["left_out"])
    assert ("envpool" in found["sides"]) == (find_spec("envpool") is not None)


def test_what_was_left_out_is_printed_with_its_reason():
    machine = {"cpu": "a cpu", "cores": 2, "threads": 2, "load": 0.0, "versions": {"mujoco": "4.0.0", "envpool": None}}
    console = Console(record=True, width=200)
    Report(
        machine, {"distribution": "D"}, {"bare": ("bare", [Sample(1, 1.0)])}, {"EnvPool": "why [x]"}, {}, 2**31
    ).print(console)
    text = console.export_text()
    assert "left out: EnvPool: why [x]" in text
    assert "2.00 GiB ✗" in text


def _tiny(distribution, **options):
    return SpeedOptions(
        distribution=distribution, num_envs=4, gymnasium_envs=2, train_envs=4, meta_envs=4, hidden_size=8, epochs=1,
        seconds=0.0,
        **{"rounds": 1, "threads": 1, **options},
    )  # fmt: skip


def test_own_models_move_as_the_shared_one(short):
    distribution = registry.find("distribution", short)
    shared, own = BarePhysics(distribution, 3), BarePhysics(with_neutral_physics(distribution), 3)
    assert shared.work() == own.work()
    np.testing.assert_array_equal(shared.qpos, own.qpos)


def test_new_bodies_are_given_to_everybody(short):
    side = NewTasks(registry.find("distribution", short), 3)
    assert side.work() == ASSIGNMENTS * 3
    mass = side.env.simulation.physics.field("body_mass")[:, 1:]  # type: ignore[attr-defined]
    assert len({tuple(row) for row in mass.tolist()}) == 3
    side.close()


def test_a_world_without_bodies_has_no_models_to_compare():
    name = next(n for n in registry.names("distribution") if registry.find("distribution", n).goal is None)
    with pytest.raises(MetarlError, match="to vary"):
        with_varied_physics(registry.find("distribution", name))
