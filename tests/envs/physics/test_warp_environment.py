"""Task distributions on MuJoCo Warp: start states, rewards, restarts, and error messages."""

import sys

import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.core.simulation import DIVERGED
from metarl.errors import MetarlError

B = 4


def make_env(name: str, engine: str) -> Environment:
    distribution = metarl.get(name)
    env = Environment(distribution, B, "cpu", engine)
    env.assign(distribution.tasks("train", B))
    env.seed(3)
    env.reset()
    return env


def actions(env: Environment, steps: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.rand(steps, B, *(env.action_space.shape or ()), generator=g) * 2 - 1


class TestOnWarp:
    pytestmark = pytest.mark.xdist_group("warp")

    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("mujoco_warp")

    @pytest.mark.parametrize(
        "name",
        [
            "HalfCheetahBody",
            *(
                pytest.param(n, marks=pytest.mark.slow)
                for n in (
                    "AntDir2D", "HopperRandParams", "HumanoidDir", "Walker2dRandParams", "SwimmerFluid", "ReacherGoal",
                    "PendulumMass", "PointGoalWind", "CartPoleParams", "HalfCheetahLimbs", "HalfCheetahBreakdown",
                )
            ),
        ],
    )  # fmt: skip
    def test_first_steps_are_equal_on_both_engines(self, name):
        """Compare three steps from the same seed; later, float32 rounding grows into another trajectory."""
        cpu, warp = make_env(name, "mujoco"), make_env(name, "warp")
        torch.testing.assert_close(warp._observe(), cpu._observe(), rtol=1e-5, atol=1e-5)
        for action in actions(cpu, 3):
            ours, theirs = warp.step(action), cpu.step(action)
            torch.testing.assert_close(ours.obs, theirs.obs, rtol=1e-3, atol=2e-3)
            torch.testing.assert_close(ours.reward, theirs.reward, rtol=1e-3, atol=2e-3)
            assert torch.equal(ours.terminated, theirs.terminated)
            assert not ours.flags.any()
        assert warp.reward_terms.keys() == cpu.reward_terms.keys()

    def test_diverged_environment_rests_and_then_restarts_as_without_divergence(self):
        d = metarl.get("HalfCheetahDirSwitch")
        trials = d.make(2, engine="warp")
        first = trials.begin(d.tasks("train", 2), seed=1)
        physics = trials.environment.simulation.physics  # type: ignore[attr-defined]
        physics.qvel[1] = float("nan")
        step = trials.step(torch.zeros(2, 6))
        assert step.flags.tolist() == [0, DIVERGED]
        assert step.truncated.tolist() == [False, True]
        assert torch.isfinite(step.obs).all()
        for _ in range(d.horizon - 1):
            step = trials.step(torch.zeros(2, 6))
            assert step.resting.tolist() == [False, True]
            assert step.reward[1] == 0
        assert trials.episode == 1
        assert not trials.resting.any()
        assert not torch.equal(step.obs, first)
        reference = d.make(2, engine="warp")  # the next episode is the same without a divergence
        reference.begin(d.tasks("train", 2), seed=1)
        steps = [reference.step(torch.zeros(2, 6)) for _ in range(d.horizon)]
        assert torch.equal(steps[-1].obs, step.obs)

    def test_single_returns_the_model_fields_of_its_environment(self):
        physics = make_env("HalfCheetahBody", "warp").simulation.physics  # type: ignore[attr-defined]
        model, data = physics.single(2)
        torch.testing.assert_close(torch.tensor(model.body_mass).float(), physics.field("body_mass")[2])
        torch.testing.assert_close(torch.tensor(data.qpos).float(), physics.qpos[2])

    def test_unsupported_model_raises_with_the_reason(self):
        import mujoco

        from metarl.envs.physics import make_physics

        model = mujoco.MjModel.from_xml_string("<mujoco><option solver='PGS'/><worldbody/></mujoco>")
        with pytest.raises(MetarlError, match=r"cannot simulate this robot: .*PGS.* engine='mujoco'"):
            make_physics(model, 1, 1, torch.device("cpu"), "warp")

    def test_too_many_environments_for_the_memory_raise(self, monkeypatch):
        import warp as wp

        from metarl import registry
        from metarl.envs.physics import warp_memory

        robot = registry.find("world", "HalfCheetah")
        each = warp_memory.bytes_per_env(robot.model, robot.buffer_sizes)
        assert 2_000 < each < 200_000

        class Gpu:
            free_memory = 1000 * each

        monkeypatch.setattr(wp, "device_from_torch", lambda device: Gpu)
        warp_memory.check_memory(robot.model, 1000, robot.buffer_sizes, torch.device("cuda", 0))
        with pytest.raises(MetarlError, match=r"1001 environments need about .* at most 1000 fit"):
            warp_memory.check_memory(robot.model, 1001, robot.buffer_sizes, torch.device("cuda", 0))


def test_missing_mujoco_warp_raises_with_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    for module in [name for name in sys.modules if name.startswith("metarl.envs.physics.warp")]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MetarlError, match=r"pip install '.\[gpu\]'"):
        metarl.get("HalfCheetahVel").make(2, engine="warp")


def test_unsupported_or_unknown_engine_raises():
    with pytest.raises(MetarlError, match="'mujoco' runs robots on cpu, not on cuda"):
        metarl.get("HalfCheetahVel").make(2, device="cuda", engine="mujoco")
    with pytest.raises(MetarlError, match="did you mean 'warp'"):
        metarl.get("HalfCheetahVel").make(2, engine="wrap")
