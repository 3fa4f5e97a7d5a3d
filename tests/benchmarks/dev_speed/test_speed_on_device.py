"""`metarl speed --device cuda`, its lines run on Warp's CPU device: who is measured and what is written."""

import json
from dataclasses import replace

import pytest
import torch

import metarl
from metarl.benchmarks.dev_speed.command import COMMAND, SpeedOptions
from metarl.benchmarks.dev_speed.on_device import EVERY_FIELD, BareEngine, Measured, OurEnvironment, measure_sizes
from metarl.benchmarks.dev_speed.sizes import ratios
from metarl.benchmarks.dev_speed.timing import Sample
from metarl.benchmarks.dev_speed.variation import with_varied_physics
from metarl.errors import MetarlError
from metarl.runtime import free_memory


@pytest.mark.xdist_group("warp")
class TestOnWarp:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("mujoco_warp")

    def test_every_side_of_every_size_is_in_the_file(self, tmp_path, capsys):
        file = tmp_path / "speed.json"
        COMMAND.run(
            SpeedOptions(
                engine="warp", families=("HalfCheetahVel", "GridNavi"), sizes=(2, 3), rounds=2, seconds=0.0, json=file
            )
        )
        found = json.loads(file.read_text())
        of = {(m["distribution"], m["num_envs"], m["side"]) for m in found["measured"]}
        robots = {("HalfCheetahVel", n, side) for n in (2, 3) for side in ("bare", "environment", "varied")}
        assert of == robots | {("GridNavi", n, "environment") for n in (2, 3)}
        assert all(m["median"] > 0 and len(m["samples"]) == 2 and m["compile_seconds"] > 0 for m in found["measured"])
        assert {(r["side"], r["num_envs"]) for r in found["ratios"]} == {
            (s, n) for s in ("environment", "varied") for n in (2, 3)
        }
        out = capsys.readouterr().out
        assert "no measure of a GPU" in out
        assert "GridNavi" in out

    def test_the_bare_engine_simulates_what_our_environment_does(self):
        """The same states after as many steps."""
        family = metarl.get("HalfCheetahVel")
        bare, ours = (side(family, 3, "cpu", "warp") for side in (BareEngine, OurEnvironment))
        assert bare.work() == ours.work()
        torch.testing.assert_close(bare.physics.qpos, ours.env.simulation.physics.qpos)  # type: ignore[attr-defined]

    def test_every_field_varies(self):
        env = OurEnvironment(with_varied_physics(metarl.get("HalfCheetahVel"), EVERY_FIELD), 3, "cpu", "warp").env
        physics = env.simulation.physics  # type: ignore[attr-defined]
        for name in ("body_mass", "body_inertia", "dof_damping", "geom_friction", "actuator_gear", "opt.gravity"):
            assert len(torch.unique(physics.field(name).flatten(1).sum(1))) == 3


def test_a_game_has_no_bare_engine():
    pytest.importorskip("mujoco_warp")
    with pytest.raises(MetarlError, match="not simulated by MuJoCo Warp"):
        BareEngine(metarl.get("GridNavi"), 2, "cpu", None)


def test_a_machine_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MetarlError, match="CUDA"):
        COMMAND.run(SpeedOptions(device="cuda", sizes=(2,)))


def test_training_is_measured_beside_them(monkeypatch):
    """Whole updates; what does not fit is left out, and said."""
    family = replace(metarl.get("GridNavi"), horizon=4)

    def trained() -> dict[str, int]:
        (sides,) = measure_sizes({"GridNavi": family}, (40,), "cpu", None, 1, 0.0, said.append, {"hidden_size": 8})
        return {m.side: m.samples[0].steps for m in sides if m.side != "environment"}

    said: list[str] = []
    assert trained() == {"rl2": 40 * family.episodes * 4, "promp": 40 * 2 * 4}
    assert said == ["GridNavi, 40"]
    monkeypatch.setattr(free_memory, "free", lambda device: 1000)
    assert trained() == {}
    assert [line.split(":")[1] for line in said if line.startswith("left out")] == [" rl2", " promp"]


def test_what_is_compared_with_what():
    def one(side: str, rate: int) -> Measured:
        return Measured("X", 8, side, [Sample(rate, 1.0)], 0.0)

    found = [one("bare", 100), one("environment", 90), one("varied", 45)]
    assert ratios(found) == {("X", 8, "environment"): 0.9, ("X", 8, "varied"): 0.5}
