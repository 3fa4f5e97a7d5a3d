"""Other libraries' environments and training for the same robots, with this package's episode length.

They run Gymnasium's versions of the robots. A library is imported when it is measured; one that is not installed is
left out and listed.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import Any

import gymnasium as gym
import mujoco

from metarl.benchmarks.dev_speed.side import Side
from metarl.benchmarks.dev_speed.vector_env import VectorEnvironment
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution

INSTALL = "pip install '.[bench]'"


def env_pool(distribution: TaskDistribution, num_envs: int, threads: int) -> Side:
    """Return EnvPool (Weng et al. 2022), synchronous, through its Gymnasium API."""
    envpool = installed("envpool")
    env_id = gymnasium_id(distribution)
    if env_id not in envpool.list_all_envs():
        raise MetarlError(f"EnvPool has no {env_id}")
    horizon = distribution.horizon
    env = envpool.make(
        env_id, env_type="gymnasium", num_envs=num_envs, num_threads=threads, seed=0, max_episode_steps=horizon,
        **physics_settings(distribution),
    )  # fmt: skip
    return VectorEnvironment(env, horizon, seed=None)  # `make` seeds it, and a second seed raises a warning


def gymnasium_sync(distribution: TaskDistribution, num_envs: int) -> Side:
    """Return Gymnasium's loop over environments in this process."""
    return VectorEnvironment(gym.vector.SyncVectorEnv(_factories(distribution, num_envs)), distribution.horizon)


def gymnasium_async(distribution: TaskDistribution, num_envs: int) -> Side:
    """Return Gymnasium's environments in one process each, not forked: this process has threads."""
    context = "spawn" if sys.platform == "win32" else "forkserver"
    env = gym.vector.AsyncVectorEnv(_factories(distribution, num_envs), context=context)
    return VectorEnvironment(env, distribution.horizon)


class RecurrentPPO(Side):
    """sb3-contrib's recurrent PPO with the same widths and the same steps, epochs and minibatches per update.

    Actor and critic share one LSTM, as in this package; sb3-contrib's default of two takes longer.
    """

    def __init__(
        self, distribution: TaskDistribution, num_envs: int, hidden_size: int, head_size: int, epochs: int,
        minibatches: int,
    ) -> None:  # fmt: skip
        contrib = installed("sb3_contrib")
        from stable_baselines3.common.vec_env import DummyVecEnv

        n_steps = distribution.horizon * distribution.episodes
        self.env_steps = n_steps * num_envs
        self.model = contrib.RecurrentPPO(
            "MlpLstmPolicy", DummyVecEnv(_factories(distribution, num_envs)), device="cpu", seed=0,
            n_steps=n_steps, n_epochs=epochs, batch_size=self.env_steps // minibatches,
            policy_kwargs={
                "lstm_hidden_size": hidden_size, "shared_lstm": True, "enable_critic_lstm": False,
                "net_arch": {"pi": [head_size], "vf": [head_size]},
            },
        )  # fmt: skip

    def work(self) -> int:
        self.model.learn(self.env_steps, reset_num_timesteps=False)
        return self.env_steps

    def close(self) -> None:
        self.model.get_env().close()


def gymnasium_id(distribution: TaskDistribution) -> str:
    """Return the id of Gymnasium's environment with the distribution's robot. Raises MetarlError if there is none."""
    env_id = f"{distribution.world}-v5"
    if env_id not in gym.registry:
        raise MetarlError(f"Gymnasium has no {env_id}")
    return env_id


def physics_settings(distribution: TaskDistribution) -> dict[str, Any]:
    """Return the distribution's settings that change the physics steps per env step, for equal env steps."""
    return {name: value for name, value in distribution.settings.items() if name == "frame_skip"}


def single(env_id: str, horizon: int, **settings: Any) -> gym.Env:
    """Return one Gymnasium environment, without MuJoCo's warnings (to stderr and a file) that its model is old."""
    mujoco.set_mju_user_warning(_ignore)  # pyright: ignore[reportAttributeAccessIssue] - missing in its stubs
    try:
        return gym.make(env_id, max_episode_steps=horizon, **settings)
    except gym.error.DependencyNotInstalled as error:
        raise MetarlError(f"{env_id} is not installed ({error}): {INSTALL}") from error
    finally:
        mujoco.set_mju_user_warning(None)  # pyright: ignore[reportAttributeAccessIssue]


def installed(module: str, cure: str = INSTALL) -> Any:
    """Return the imported module. Raises MetarlError with the cure if it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MetarlError(f"{module} is not installed ({error}): {cure}") from error


def _factories(distribution: TaskDistribution, num_envs: int) -> list[Any]:
    env_id, settings = gymnasium_id(distribution), physics_settings(distribution)
    return [partial(single, env_id, distribution.horizon, **settings)] * num_envs


def _ignore(message: str) -> None:
    pass
