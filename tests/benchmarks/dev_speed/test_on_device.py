"""`dev_speed robots --device cuda`, run on Warp's CPU device: its sides and its JSON file."""

import json
from dataclasses import replace

import pytest
import torch

import metarl
from metarl.benchmarks.dev_speed.on_device import (
    EVERY_FIELD,
    BareEngine,
    DeviceEnvironment,
    Measured,
    measure_sizes,
)
from metarl.benchmarks.dev_speed.robot_options import RobotSpeedOptions
from metarl.benchmarks.dev_speed.robots import run
from metarl.benchmarks.dev_speed.sizes import ratios
from metarl.benchmarks.dev_speed.variation import with_varied_physics
from metarl.errors import MetarlError
from metarl.runtime import free_memory
from metarl.runtime.timing import Sample


@pytest.mark.xdist_group("warp")
class TestOnWarp:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("mujoco_warp")

    @pytest.mark.slow
    def test_every_side_of_every_size_is_in_the_file(self, tmp_path, capsys):
        file = tmp_path / "speed.json"
        run(
            RobotSpeedOptions(
                engine="warp", distributions=("HalfCheetahVel", "GridNavi"), sizes=(2, 3), rounds=2, seconds=0.0,
                json=file,
            )
        )  # fmt: skip
        data = json.loads(file.read_text())
        measured = {(m["distribution"], m["num_envs"], m["side"]) for m in data["measured"]}
        robots = {("HalfCheetahVel", n, side) for n in (2, 3) for side in ("bare", "environment", "varied")}
        assert measured == robots | {("GridNavi", n, "environment") for n in (2, 3)}
        assert all(m["median"] > 0 and len(m["samples"]) == 2 and m["compile_seconds"] > 0 for m in data["measured"])
        assert {(r["side"], r["num_envs"]) for r in data["ratios"]} == {
            (s, n) for s in ("environment", "varied") for n in (2, 3)
        }
        out = capsys.readouterr().out
        assert "no measure of a GPU" in out
        assert "GridNavi" in out

    def test_the_bare_engine_reaches_the_states_of_the_environment(self):
        distribution = metarl.get("HalfCheetahVel")
        bare, ours = (side(distribution, 3, "cpu", "warp") for side in (BareEngine, DeviceEnvironment))
        assert bare.work() == ours.work()
        torch.testing.assert_close(bare.physics.qpos, ours.env.simulation.physics.qpos)  # type: ignore[attr-defined]

    def test_every_field_differs_between_environments(self):
        env = DeviceEnvironment(with_varied_physics(metarl.get("HalfCheetahVel"), EVERY_FIELD), 3, "cpu", "warp").env
        physics = env.simulation.physics  # type: ignore[attr-defined]
        for name in ("body_mass", "body_inertia", "dof_damping", "geom_friction", "actuator_gear", "opt.gravity"):
            assert len(torch.unique(physics.field(name).flatten(1).sum(1))) == 3


def test_a_game_has_no_bare_engine():
    pytest.importorskip("mujoco_warp")
    with pytest.raises(MetarlError, match="not simulated by MuJoCo Warp"):
        BareEngine(metarl.get("GridNavi"), 2, "cpu", None)


def test_cuda_on_a_machine_without_a_gpu_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MetarlError, match="CUDA"):
        run(RobotSpeedOptions(device="cuda", sizes=(2,)))


def test_training_is_measured_in_whole_updates_or_left_out(monkeypatch):
    distribution = replace(metarl.get("GridNavi"), horizon=4)

    def steps() -> dict[str, int]:
        (sides,) = measure_sizes({"GridNavi": distribution}, (40,), "cpu", None, 1, 0.0, log.append, {"hidden_size": 8})
        return {m.side: m.samples[0].steps for m in sides if m.side != "environment"}

    log: list[str] = []
    assert steps() == {"rl2": 40 * distribution.episodes * 4, "promp": 40 * 2 * 4}
    assert log == ["GridNavi, 40"]
    monkeypatch.setattr(free_memory, "free", lambda device: 1000)
    assert steps() == {}
    assert [line.split(":")[1] for line in log if line.startswith("left out")] == [" rl2", " promp"]


def test_each_ratio_is_of_a_side_and_its_reference():
    def measured(side: str, rate: int) -> Measured:
        return Measured("X", 8, side, [Sample(rate, 1.0)], 0.0)

    of_sides = [measured("bare", 100), measured("environment", 90), measured("varied", 45)]
    assert ratios(of_sides) == {("X", 8, "environment"): 0.9, ("X", 8, "varied"): 0.5}
