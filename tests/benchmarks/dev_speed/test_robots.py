"""`dev_speed robots`: its sides, the order of its measurements, and the report. No test depends on a speed."""

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
from metarl.agents.networks import gru
from metarl.benchmarks.dev_speed import peers
from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
from metarl.benchmarks.dev_speed.report import TARGETS, Report
from metarl.benchmarks.dev_speed.robot_options import RobotSpeedOptions
from metarl.benchmarks.dev_speed.robots import plans, run
from metarl.benchmarks.dev_speed.tensor_env import TensorEnvironment
from metarl.benchmarks.dev_speed.training_loop import PARTS, TrainingLoop
from metarl.benchmarks.dev_speed.variation import ASSIGNMENTS, NewTasks, with_neutral_physics, with_varied_physics
from metarl.benchmarks.dev_speed.vector_env import our_vector_env
from metarl.errors import MetarlError
from metarl.runtime import distributed, threads
from metarl.runtime.timing import Sample, measure, summarize, take_turns

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


class TenSteps:
    """Work of ten steps that takes three seconds by a simulated clock."""

    now = 0.0

    def __call__(self) -> int:
        self.now += 3.0
        return 10


@pytest.fixture
def short(tmp_path):
    """Return the name of a distribution whose trials are two episodes of four steps."""
    path = tmp_path / "short.py"
    path.write_text(SHORT)
    return f"{path}:Short"


@pytest.mark.parametrize(("seconds", "repeats"), [(0, 1), (3, 1), (3.5, 2), (9, 3)])
def test_work_is_repeated_until_the_time_has_passed(seconds, repeats):
    work = TenSteps()
    assert measure(work, seconds, clock=lambda: work.now) == Sample(10 * repeats, 3.0 * repeats)


def test_each_round_starts_with_another_side():
    assert "".join(take_turns("abc", 4)) == "abcbcacababc"


def test_a_rate_is_the_median_over_rounds():
    rate = summarize([Sample(10, 1.0), Sample(10, 0.1), Sample(10, 2.0)])
    assert (rate.median, rate.low, rate.high) == (10.0, 5.0, 100.0)


def test_a_ratio_is_of_medians_and_is_paired_with_its_floor():
    samples = {"bare": ("bare", [Sample(10, 1.0), Sample(99, 1.0), Sample(1, 1.0)]), "tensor": ("t", [Sample(9, 1.0)])}
    report = Report({}, {}, samples, {}, {}, None)
    assert [(target.side, target.reference, target.floor, ratio) for target, ratio in report.ratios()] == [
        ("tensor", "bare", 0.85, 0.9)
    ]


def test_a_floor_is_printed_for_its_robot_only():
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


def test_bare_physics_replays_a_trial_bit_for_bit(short):
    distribution = registry.find("distribution", short)
    bare = BarePhysics(distribution, 3)
    qpos, qvel = bare.qpos.copy(), bare.qvel.copy()
    assert bare.work() == 2 * 4 * 3
    np.testing.assert_array_equal(bare.qpos, qpos)
    np.testing.assert_array_equal(bare.qvel, qvel)
    assert np.abs(qvel).max() > 0.1


def test_bare_physics_with_derived_fields_replays_the_same_states():
    plain, derived = (BarePhysics(ANT, 2, derived=derived) for derived in (False, True))
    assert (plain.stage, derived.stage) == (mjtStage.mjSTAGE_NONE, mjtStage.mjSTAGE_ACC)
    assert plain.work() == derived.work()
    np.testing.assert_array_equal(plain.qpos, derived.qpos)


def test_stock_physics_replays_the_same_states_with_running_timers(short, monkeypatch):
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


def test_a_model_that_tasks_change_has_no_stock_physics():
    with pytest.raises(MetarlError, match="no one model"):
        StockPhysics(registry.find("distribution", "HopperRandParams"), 2)


def test_calls_that_reset_are_not_counted_as_steps(short):
    side = our_vector_env(registry.find("distribution", short), 3)
    assert len(side.actions) == 2 * (4 + 1)  # an episode, and the call that resets
    assert [side.work(), side.work()] == [2 * 4 * 3, 2 * 4 * 3]
    side.close()


def test_each_trial_has_new_tasks(short):
    side = TensorEnvironment(registry.find("distribution", short), 2)
    velocities = []
    for _ in range(2):
        assert side.work() == 2 * 4 * 2
        velocities.append(side.env.environment.task["velocity"])
    assert not torch.equal(*velocities)


def test_time_shares_of_training_sum_to_one(short):
    with threads.using(1):
        loop = TrainingLoop(short, "rl2", num_envs=4, hidden_size=8, epochs=1)
        loop.warm_up()
        assert loop.work() == 2 * 4 * 4
        loop.close()
    assert list(loop.shares) == list(PARTS)
    assert all(share > 0 for share in loop.shares.values())
    assert sum(loop.shares.values()) == pytest.approx(1.0)


@pytest.mark.slow
def test_two_processes_train_one_learner():
    with threads.using(1):
        loop = TrainingLoop("PointGoalSparse", "rl2", processes=2, num_envs=4, hidden_size=8, epochs=1)
        assert [loop.work(), loop.work()] == [4 * 120] * 2
        loop.close()
    assert distributed.size() == 1


def test_a_world_that_gymnasium_lacks_has_no_peers():
    with pytest.raises(MetarlError, match="Gymnasium has no PointMass-v5"):
        peers.gymnasium_sync(registry.find("distribution", "PointGoalSparse"), 2)


def test_peers_take_as_many_physics_steps_per_env_step():
    [make, *_] = peers._factories(ANT, 2)
    peer: Any = make().unwrapped
    assert peer.frame_skip == ANT.make().environment.simulation.physics.frame_skip == 2  # type: ignore[attr-defined]


def test_the_error_for_a_missing_peer_names_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(MetarlError, match=r"pip install '.\[bench\]'"):
        peers.env_pool(registry.find("distribution", "HalfCheetahVel"), 2, 1)


def test_options_are_checked_and_read_from_the_command_line():
    options = tyro.cli(RobotSpeedOptions, args=["--num-envs", "8", "--no-peers", "--seconds", "0.5"])
    assert options == RobotSpeedOptions(num_envs=8, peers=False, seconds=0.5)
    with pytest.raises(MetarlError, match="rounds must be a whole number of at least 1, got 0"):
        RobotSpeedOptions(rounds=0)
    with pytest.raises(MetarlError, match="threads 4096 are more than"):
        run(RobotSpeedOptions(threads=4096))


def test_every_target_compares_planned_sides():
    planned = plans(RobotSpeedOptions(), registry.find("distribution", "HalfCheetahVel"), 1)
    assert {side for target in TARGETS for side in (target.side, target.reference)} == set(planned) - {"meta_training"}


@pytest.mark.slow
def test_a_tiny_run_measures_every_side_but_peers(short, tmp_path, capsys):
    path = tmp_path / "speed.json"
    run(_tiny(short, peers=False, rounds=3, json=path))
    data = json.loads(path.read_text())
    ours = {"stock", "bare", "tensor", "vector_env", "own_bare", "own_tensor", "new_tasks", "tensor_train", "training"}
    ours |= {"one_process", "torch_steps", "meta_training"} if gru.COMPILED else {"one_process", "meta_training"}
    assert set(data["sides"]) == ours
    assert all(len(side["samples"]) == 3 and side["median"] > 0 for side in data["sides"].values())
    assert "bare + derived, 4" in data["left_out"]  # HalfCheetah reads no derived fields
    assert len(data["left_out"]) == (1 if gru.COMPILED else 2)
    assert data["training_peak_memory_bytes"] > 2**25
    assert data["machine"]["cores"] >= data["machine"]["threads"] >= 1
    assert data["machine"]["versions"]["mujoco"]
    printed = capsys.readouterr().out
    assert all(side["about"] in printed for side in data["sides"].values())


def test_only_the_named_sides_are_planned(short):
    distribution = registry.find("distribution", short)
    options = tyro.cli(RobotSpeedOptions, args=["--sides", "bare", "vector_env", "sync", "--no-peers"])
    assert list(plans(options, distribution, 1)) == ["bare", "vector_env"]
    with pytest.raises(MetarlError, match="unknown side 'envpol'; did you mean 'envpool'"):
        plans(RobotSpeedOptions(sides=("envpol",)), distribution, 1)


@pytest.mark.slow
def test_a_tiny_run_beside_every_peer(short, tmp_path, capsys):
    path = tmp_path / "speed.json"
    run(_tiny(short, json=path))
    data = json.loads(path.read_text())
    planned = plans(RobotSpeedOptions(), registry.find("distribution", short), 1)
    assert len(data["sides"]) + len(data["left_out"]) == len(planned)
    assert len(data["ratios"]) == sum({t.side, t.reference} <= set(data["sides"]) for t in TARGETS)
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"left out: {about}" in printed for about in data["left_out"])
    assert ("envpool" in data["sides"]) == (find_spec("envpool") is not None)


def test_a_side_left_out_is_printed_with_its_reason():
    machine = {"cpu": "a cpu", "cores": 2, "threads": 2, "load": 0.0, "versions": {"mujoco": "4.0.0", "envpool": None}}
    console = Console(record=True, width=200)
    Report(
        machine, {"distribution": "D"}, {"bare": ("bare", [Sample(1, 1.0)])}, {"EnvPool": "why [x]"}, {}, 2**31
    ).print(console)
    text = console.export_text()
    assert "left out: EnvPool: why [x]" in text
    assert "2.00 GiB ✗" in text


def _tiny(distribution, **options):
    return RobotSpeedOptions(
        distribution=distribution, num_envs=4, gymnasium_envs=2, train_envs=4, meta_envs=4, hidden_size=8, epochs=1,
        seconds=0.0,
        **{"rounds": 1, "threads": 1, **options},
    )  # fmt: skip


def test_own_models_reach_the_states_of_the_shared_model(short):
    distribution = registry.find("distribution", short)
    shared, own = BarePhysics(distribution, 3), BarePhysics(with_neutral_physics(distribution), 3)
    assert shared.work() == own.work()
    np.testing.assert_array_equal(shared.qpos, own.qpos)


def test_new_tasks_differ_between_environments(short):
    side = NewTasks(registry.find("distribution", short), 3)
    assert side.work() == ASSIGNMENTS * 3
    mass = side.env.simulation.physics.field("body_mass")[:, 1:]  # type: ignore[attr-defined]
    assert len({tuple(row) for row in mass.tolist()}) == 3
    side.close()


def test_a_world_without_bodies_cannot_vary_them():
    name = next(n for n in registry.names("distribution") if registry.find("distribution", n).goal is None)
    with pytest.raises(MetarlError, match="to vary"):
        with_varied_physics(registry.find("distribution", name))
