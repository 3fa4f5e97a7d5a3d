"""The functions train, evaluate, load and play, with built-in names and with worlds and agents from users' files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.cli.main import main
from metarl.training.evaluate import evaluate_agent

Train = Callable[..., Path]
Same = Callable[[Path, Path], None]
UPDATE = 480
ARGUMENTS = {
    "steps": 2880, "checkpoint-every": 960, "evaluate-every": 1440, "threads": 1,
    "num-envs": 4, "minibatches": 2, "epochs": 2, "hidden-size": 8, "head-size": 8,
}  # fmt: skip


# Python and the command line ------------------------------------------------------------------------------------------


def test_training_is_the_same_from_python_and_from_the_command_line(
    whole: Path, assert_same: Same, tmp_path: Path
) -> None:
    arguments = [text for name, value in ARGUMENTS.items() for text in (f"--{name}", str(value))]
    assert main(["train", "rl2", "PointGoalSparse", *arguments, "--run-dir", str(tmp_path / "run")]) == 0
    assert_same(tmp_path / "run", whole)
    configs = [json.loads((run / "config.json").read_text()) for run in (tmp_path / "run", whole)]
    assert configs[0] == configs[1]


def test_evaluating_is_the_same_from_python_and_from_the_command_line(whole: Path, tmp_path: Path) -> None:
    results = metarl.evaluate(whole, "test", tasks=3, against=["wiped", "random"], out=tmp_path / "a")
    options = ["--split", "test", "--tasks", "3", "--against", "wiped", "random", "--out", str(tmp_path / "b")]
    assert main(["evaluate", str(whole), *options]) == 0
    assert list(results["test"]) == ["rl2", "rl2, memory wiped", "random"]
    with np.load(tmp_path / "a" / "eval.npz") as a, np.load(tmp_path / "b" / "eval.npz") as b:
        assert set(a) == set(b)
        for name in a:
            assert np.array_equal(a[name], b[name])
        assert np.array_equal(a["test/rl2/reward"], results["test"]["rl2"].reward)


# load -----------------------------------------------------------------------------------------------------------------


def test_a_loaded_agent_acts_in_a_tensor_environment_of_its_shape(whole: Path) -> None:
    agent = metarl.load(whole)
    distribution = metarl.get("PointGoalSparse")
    tasks = distribution.tasks("test", 3, seed=0)
    result = evaluate_agent(agent, distribution.make(3), tasks)
    assert np.array_equal(result.returns, metarl.evaluate(whole, "test", 3, 1)["test"]["rl2"].returns)
    again = evaluate_agent(agent, distribution.make(3), tasks)  # nothing is carried over to the next trial
    assert np.array_equal(result.reward, again.reward)


def test_an_environment_of_another_shape_is_refused(whole: Path) -> None:
    cheetah = metarl.get("HalfCheetahVel")
    with pytest.raises(metarl.MetarlError, match=r"sees observations of shape \[2, 4\], got \[2, 17\]"):
        evaluate_agent(metarl.load(whole), cheetah.make(2), cheetah.tasks("test", 2))


def test_sampled_actions_are_the_same_each_time(whole: Path) -> None:
    torch.manual_seed(0)
    sampled = metarl.evaluate(whole, "test", 2, 1, deterministic=False)["test"]["rl2"].reward
    torch.manual_seed(1)
    assert np.array_equal(metarl.evaluate(whole, "test", 2, 1, deterministic=False)["test"]["rl2"].reward, sampled)
    assert not np.array_equal(metarl.evaluate(whole, "test", 2, 1)["test"]["rl2"].reward, sampled)


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"agent": "rl3"}, "unknown agent 'rl3'; did you mean 'rl2'"),
        ({"agent": "random", "settings": None}, "'random' has nothing to train"),
        ({"agent": 3}, "give the agent or its name, not 3"),
        ({"distribution": "HalfCheetaVel"}, "unknown distribution 'HalfCheetaVel'; did you mean 'HalfCheetahVel'"),
        ({"distribution": None}, "give the distribution or its name, not None"),
        ({"step": 3}, "unknown option of train .* 'step'; did you mean 'steps'"),
        ({"settings": {"hidden": 3}}, "unknown setting of rl2 'hidden'; did you mean 'hidden_size'"),
        ({"settings": {"learning_rate": float("nan")}}, "learning_rate must be a number above 0, got nan"),
        ({"settings": {"entropy_coef": float("inf")}}, "entropy_coef must be a number of at least 0, got inf"),
        ({"settings": {"gamma": 1.5}}, r"gamma must be a number in \[0, 1\], got 1.5"),
        ({"settings": {"gae_lambda": "high"}}, r"gae_lambda must be a number in \[0, 1\], got 'high'"),
        ({"settings": {"num_envs": 0}}, "num_envs must be a whole number of at least 1, got 0"),
        ({"settings": {"num_envs": 2.5}}, "num_envs must be a whole number of at least 1, got 2.5"),
        ({"settings": {"num_envs": 5}}, "num_envs 5 must be a multiple of minibatches 2"),
        ({"settings": {"memory": "elephant"}}, "memory must be gru, lstm, associative or none, got 'elephant'"),
        ({"settings": {"memory": "none", "wipe_memory": True}}, "there is no memory to wipe"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
        ({"steps": -5}, "steps must be a whole number of at least 1, got -5"),
        ({"steps": 1e6}, "steps must be a whole number of at least 1, got 1000000.0"),
        ({"steps": True}, "steps must be a whole number"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"checkpoint_every": 0}, "checkpoint_every must be a whole number of at least 1"),
        ({"evaluate_every": -1}, "evaluate_every must be a whole number of at least 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_mistakes_are_refused_before_a_run_begins(tiny: Train, tmp_path: Path, call: dict, message: str) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        tiny(tmp_path / "run", **call)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"split": "exam"}, "unknown split 'exam'"),
        ({"tasks": 0}, "tasks must be a whole number of at least 1, got 0"),
        ({"replicates": -1}, "replicates must be a whole number of at least 1, got -1"),
        ({"against": "nothing"}, "unknown agent 'nothing'"),
        ({"against": "rl2"}, "'rl2' must be trained first: give its run directory"),
        ({"against": ["random", "random"]}, "two named 'random'"),
        ({"episodes": 0}, "episodes must be a whole number of at least 1, got 0"),
        ({"settings": {"wipe_memories": True}}, "unknown setting of rl2 'wipe_memories'; did you mean 'wipe_memory'"),
    ],
)
def test_mistakes_in_an_evaluation_are_refused(whole: Path, call: dict, message: str) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        metarl.evaluate(whole, **call)


def test_evaluation_with_more_episodes_and_other_settings(whole: Path, tmp_path: Path) -> None:
    evaluation = metarl.evaluate(whole, "test", 2, 1, "wiped", out=tmp_path, episodes=4, settings={"wipe_memory": True})
    results = list(evaluation["test"].values())
    assert [result.returns.shape for result in results] == [(4, 2, 1)] * 2
    assert np.array_equal(results[0].reward, results[1].reward)  # with this setting, the agent equals its control


def test_a_directory_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(metarl.MetarlError, match=r"is no run directory \(it has no config.json\)"):
            metarl.load(path)


# Comparing runs -------------------------------------------------------------------------------------------------------


def test_runs_are_compared_on_the_same_tasks(tiny: Train, whole: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "other", seed=1, steps=UPDATE)
    oracle = tiny(tmp_path / "sees", agent="oracle", steps=UPDATE)
    results = metarl.evaluate(whole, "test", 3, 1, against=[str(other), str(oracle)], out=tmp_path)["test"]
    assert list(results) == ["rl2", "other", "oracle"]
    assert results["other"].tasks == results["rl2"].tasks
    assert np.array_equal(results["other"].reward, metarl.evaluate(other, "test", 3, 1)["test"]["rl2"].reward)


def test_a_run_on_another_distribution_is_not_compared(tiny: Train, whole: Path, tmp_path: Path) -> None:
    longer = metarl.TaskDistribution(
        "LongerGoal", world="PointMass", goal="sparse_place", parameters={"radius": metarl.Uniform(0.1, 0.2)},
        horizon=20, episodes=1,
    )  # fmt: skip
    other = tiny(tmp_path / "other", distribution=longer, steps=1)
    with pytest.raises(metarl.MetarlError, match="was trained on LongerGoal, not on PointGoalSparse"):
        metarl.evaluate(whole, against=str(other))


# Users' files --------------------------------------------------------------------------------------------------------

FILE = '''
from __future__ import annotations

from dataclasses import dataclass

import torch

import metarl
from metarl.core.agent import AgentType, Learner
from metarl.core.rng import derive_seed, generator
from metarl.envs.robots.point_mass import PointMass
from metarl.training.evaluate import evaluate_agent


class Puck(PointMass):
    """A ball with random start positions near 0."""

    name = "ExternalPuck"
    qpos_noise = 0.2


metarl.register(Puck)
DISTRIBUTION = metarl.register(metarl.TaskDistribution(
    "PuckGoal", world="ExternalPuck", goal="sparse_place", parameters={"place": metarl.Disc(1.0)},
    horizon=10, episodes=2,
))


def near_or_far(rng, n):
    radius = rng.uniform(0.1, 0.3, n)
    return {"radius": radius, "place": radius[:, None] + rng.uniform(-1, 1, (n, 2))}


CODE = metarl.TaskDistribution(
    "PuckCode", world="ExternalPuck", goal="sparse_place", split="iid",
    parameters={("place", "radius"): metarl.Joint(near_or_far)}, horizon=10, episodes=2,
)


@dataclass(frozen=True)
class PushSettings:
    num_envs: int = 4
    """trials an update"""
    stride: float = 0.1
    """largest change of a push"""


class Pusher:
    def __init__(self, push):
        self.push = push

    def begin(self, num_envs):
        self.num_envs = num_envs

    def act(self, obs):
        return self.push.clamp(-1, 1).expand(self.num_envs, -1)

    def observe(self, step):
        pass


class PushLearner(Learner):
    """A random walk over constant pushes."""

    def __init__(self, distribution, settings, seed, device):
        self.distribution, self.settings, self.seed = distribution, settings, seed
        self.env = distribution.make(settings.num_envs, device)
        self.push, self.updates, self.env_steps = torch.zeros(2), 0, 0

    def update(self):
        tasks = self.distribution.tasks("train", self.env.num_envs, derive_seed(self.seed, "tasks", self.updates))
        result = evaluate_agent(self.agent(), self.env, tasks)
        noise = torch.randn(2, generator=generator(self.seed, "walk", self.updates))
        self.push = self.push + self.settings.stride * noise
        self.updates, self.env_steps = self.updates + 1, self.env_steps + int(result.mask.sum())
        return {"reward": float(result.reward.mean())}

    def agent(self, deterministic=True):
        return Pusher(self.push)

    def state_dict(self):
        return {"push": self.push, "updates": self.updates, "env_steps": self.env_steps}

    def load_state_dict(self, state):
        self.push, self.updates, self.env_steps = state["push"], state["updates"], state["env_steps"]


PUSH = AgentType("push", PushSettings, PushLearner, lambda obs, act, settings, state, d: Pusher(state["push"]))
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's file in the working directory."""
    (tmp_path / "external.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "external.py"


FRESH = """
import json, sys
import metarl
runs, out = sys.argv[2:], sys.argv[1]
returns = {run: metarl.evaluate(run, "test", 3, 1, out=out)["test"] for run in runs}
print(json.dumps({run: {name: r.returns.tolist() for name, r in of.items()} for run, of in returns.items()}))
metarl.load(runs[0]).begin(2)
"""


def test_runs_with_a_users_file_are_evaluated_from_another_directory(file: Path, tiny: Train, tmp_path: Path) -> None:
    """The file, named by a relative path, holds a world, two distributions (one with a Joint sampler) and an agent."""
    runs = [
        tiny(tmp_path / "a", distribution="external.py:PuckGoal", steps=100),
        tiny(tmp_path / "b", distribution="external.py:CODE", steps=100),
        metarl.train("external.py:PUSH", "PointGoalSparse", steps=1000, run_dir=tmp_path / "c", evaluate_every=500),
        metarl.train("external.py:PUSH", "external.py:DISTRIBUTION", steps=100, run_dir=tmp_path / "d"),
    ]
    config = json.loads((runs[0] / "config.json").read_text())
    assert config["distribution"]["source"] == f"{file}:PuckGoal"
    here = {str(run): metarl.evaluate(run, "test", 3, 1)["test"] for run in runs}
    command = [sys.executable, "-c", FRESH, str(tmp_path / "out"), *map(str, runs)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    fresh = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)
    assert fresh.returncode == 0, fresh.stderr
    there = json.loads(fresh.stdout)
    assert there == {run: {name: r.returns.tolist() for name, r in of.items()} for run, of in here.items()}


def test_a_users_agent_resumes_exactly(file: Path, tmp_path: Path, assert_same: Same) -> None:
    def push(run_dir: Path, steps: int, **options: object) -> Path:
        settings = {"stride": 0.5}
        return metarl.train(
            "external.py:PUSH", "PointGoalSparse", settings=settings, run_dir=run_dir, steps=steps, **options
        )

    push(tmp_path / "a", 500)
    assert_same(push(tmp_path / "a", 2000, resume=True), push(tmp_path / "b", 2000))


def test_a_run_whose_file_was_deleted_is_refused(
    file: Path, tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(tmp_path / "run", distribution="external.py:PuckGoal", steps=1)
    file.unlink()
    monkeypatch.setattr(sys, "modules", {k: v for k, v in sys.modules.items() if not k.startswith("metarl_user")})
    with pytest.raises(metarl.MetarlError, match=r"the run in .* cannot be loaded: no file .*external.py"):
        metarl.load(run)


def test_a_function_sampler_without_a_source_is_refused(tiny: Train, tmp_path: Path) -> None:
    distribution = metarl.TaskDistribution(
        "Nowhere", world="PointMass", goal="sparse_place", split="iid",
        parameters={("radius",): metarl.Joint(lambda rng, n: {"radius": rng.uniform(0.1, 0.2, n)})},
    )  # fmt: skip
    with pytest.raises(metarl.MetarlError, match="is code and cannot be written as JSON; name its"):
        tiny(tmp_path / "run", distribution=distribution)


def test_settings_with_names_of_options_of_train_are_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clash = FILE.replace("    stride: float = 0.1", "    steps: float = 0.1").replace('"push"', '"clash"')
    file.with_name("clash.py").write_text(clash.replace("ExternalPuck", "ClashPuck").replace("PuckGoal", "ClashGoal"))
    assert main(["train", "clash.py:PUSH", "PointGoalSparse"]) == 1
    assert "settings of clash have names of options of train: rename steps" in capsys.readouterr().err


# Plain Gymnasium ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runner(tiny: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of RL² on HalfCheetahDir with one update."""
    return tiny(tmp_path_factory.mktemp("runner") / "run", distribution="HalfCheetahDir", steps=1, evaluate_every=0)


def test_an_agent_plays_a_plain_environment_of_its_shape(runner: Path) -> None:
    pytest.importorskip("gymnasium.envs.mujoco.half_cheetah_v5")
    with gym.make("HalfCheetah-v5", max_episode_steps=20) as env:
        returns = metarl.play(metarl.load(runner), env, 3, seed=0)
        assert len(returns) == 3
        assert np.isfinite(returns).all()
        assert returns == metarl.play(metarl.load(runner), env, 3, seed=0)


@pytest.mark.parametrize("name", ["PointGoalSparse", "HalfCheetahDir"])
def test_play_in_a_gymnasium_environment_equals_evaluation_in_trials(name: str, whole: Path, runner: Path) -> None:
    """Both draw from the same random streams: seed s, key 0, episodes counted from 0."""
    agent, distribution = metarl.load(whole if name == "PointGoalSparse" else runner), metarl.get(name)
    tasks = distribution.tasks("train", 1, seed=3)
    env = gym.make(f"metarl/{name}-v0", task=tasks.task(0))
    returns = metarl.play(agent, env, distribution.episodes, seed=7)
    env.close()
    result = evaluate_agent(agent, distribution.make(1), tasks, seed=7)
    # Gymnasium environments add the reward's terms in float64 and trials in float32, so the last bit may differ.
    assert returns == pytest.approx(result.returns[:, 0, 0].tolist(), rel=1e-4, abs=1e-5)


class Corridor(gym.Env[np.ndarray, np.ndarray]):
    """A step to the left terminates the episode, and ten steps truncate it. `seeds` holds the seeds of all resets."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        self.seeds = [*getattr(self, "seeds", []), seed]
        self.time = 0
        return np.array([len(self.seeds), 0.0]), {}

    def step(self, action):
        assert action.dtype == np.float64
        self.time += 1
        return np.array([len(self.seeds), self.time]), 0.5, bool(action[0] < 0), self.time == 10, {}


class RecordingAgent:
    """An agent that goes right in its first episode and left after it, and keeps the steps that it observes."""

    def begin(self, num_envs):
        self.steps = []
        assert num_envs == 1

    def act(self, obs):
        assert obs.shape == (1, 2)
        assert obs.dtype == torch.float32
        return torch.ones(1, 1) if obs[0, 0] == 1 else -torch.ones(1, 1)

    def observe(self, step):
        self.steps.append(step)


def test_play_gives_the_agent_the_steps_of_a_trial() -> None:
    agent, env = RecordingAgent(), Corridor()
    assert metarl.play(agent, env, 3, seed=5) == [5.0, 0.5, 0.5]
    assert env.seeds == [5, None, None]
    assert [bool(step.truncated) for step in agent.steps] == [False] * 9 + [True, False, False]
    assert [bool(step.terminated) for step in agent.steps] == [False] * 10 + [True, True]
    assert not any(step.resting for step in agent.steps)
    assert [step.obs[0].tolist() for step in agent.steps[8:]] == [[1, 9], [2, 0], [3, 0], [3, 1]]
    assert [step.final_obs[0].tolist() for step in agent.steps[8:]] == [[1, 9], [1, 10], [2, 1], [3, 1]]
    assert all(step.reward.dtype == torch.float32 and step.reward == 0.5 for step in agent.steps)


def test_play_refuses_environments_that_do_not_fit_the_agent(whole: Path) -> None:
    agent = metarl.load(whole)
    with gym.make("Pendulum-v1") as env, pytest.raises(metarl.MetarlError, match=r"wrap it in .*RescaleAction"):
        metarl.play(agent, env, 1)
    with pytest.raises(metarl.MetarlError, match=r"sees observations of shape \[1, 4\], got \[1, 2\]"):
        metarl.play(agent, Corridor(), 1)
    with gym.make("CartPole-v1") as env, pytest.raises(metarl.MetarlError, match=r"has shape \(2,\), .* takes \(\)"):
        metarl.play(agent, env, 1)
    with pytest.raises(metarl.MetarlError, match="a trial has at least 1 episode, got 0"):
        metarl.play(agent, Corridor(), 0)


def test_the_random_agent_plays_too() -> None:
    agent_type = registry.find("agent", "random")
    with gym.make("metarl/PointGoalSparse-v0") as env:
        agent = agent_type.restore(env.observation_space, env.action_space, agent_type.settings(), {}, True)
        assert len(metarl.play(agent, env, 2, seed=0)) == 2
