"""What others offer for the same robots, on Gymnasium's own versions of them and with our episode length.

Nothing here is imported before it is asked for: a peer that is not installed is left out, and named.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import Any

import gymnasium as gym
import mujoco

from metarl.benchmarks.dev_speed.timing import Side
from metarl.benchmarks.dev_speed.vectors import VectorSide
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution

INSTALL = "pip install 'metarl[bench]'"


def env_pool(distribution: TaskDistribution, num_envs: int, threads: int) -> Side:
    """EnvPool (Weng et al. 2022), synchronous, through its Gymnasium API."""
    envpool = installed("envpool")
    env_id = gymnasium_id(distribution)
    if env_id not in envpool.list_all_envs():
        raise MetarlError(f"EnvPool has no {env_id}")
    horizon = distribution.horizon
    env = envpool.make(
        env_id, env_type="gymnasium", num_envs=num_envs, num_threads=threads, seed=0, max_episode_steps=horizon,
        **physics_settings(distribution),
    )  # fmt: skip
    return VectorSide(env, horizon, seed=None)  # it was seeded above, and warns of a second time


def gymnasium_sync(distribution: TaskDistribution, num_envs: int) -> Side:
    """Gymnasium's loop over environments in this process."""
    return VectorSide(gym.vector.SyncVectorEnv(_singles(distribution, num_envs)), distribution.horizon)


def gymnasium_async(distribution: TaskDistribution, num_envs: int) -> Side:
    """Gymnasium's environments in a process each; fresh ones, for this process has threads and must not be forked."""
    context = "spawn" if sys.platform == "win32" else "forkserver"
    env = gym.vector.AsyncVectorEnv(_singles(distribution, num_envs), context=context)
    return VectorSide(env, distribution.horizon)


class RecurrentPPO(Side):
    """stable-baselines3's recurrent PPO, of the same widths, with as many steps, epochs and minibatches an update.

    Its LSTM is shared between actor and critic as our memory is: by default it has two, which takes longer.
    """

    def __init__(
        self, distribution: TaskDistribution, num_envs: int, hidden_size: int, head_size: int, epochs: int,
        minibatches: int,
    ) -> None:  # fmt: skip
        contrib = installed("sb3_contrib")
        from stable_baselines3.common.vec_env import DummyVecEnv

        n_steps = distribution.horizon * distribution.episodes
        self.steps = n_steps * num_envs
        self.model = contrib.RecurrentPPO(
            "MlpLstmPolicy", DummyVecEnv(_singles(distribution, num_envs)), device="cpu", seed=0,
            n_steps=n_steps, n_epochs=epochs, batch_size=self.steps // minibatches,
            policy_kwargs={
                "lstm_hidden_size": hidden_size, "shared_lstm": True, "enable_critic_lstm": False,
                "net_arch": {"pi": [head_size], "vf": [head_size]},
            },
        )  # fmt: skip

    def work(self) -> int:
        self.model.learn(self.steps, reset_num_timesteps=False)
        return self.steps

    def close(self) -> None:
        self.model.get_env().close()


def gymnasium_id(distribution: TaskDistribution) -> str:
    """Gymnasium's own environment with the distribution's robot."""
    env_id = f"{distribution.world}-v5"
    if env_id not in gym.registry:
        raise MetarlError(f"Gymnasium has no {env_id}")
    return env_id


def physics_settings(distribution: TaskDistribution) -> dict[str, Any]:
    """What the distribution sets of an env step's physics, for theirs to be as long."""
    return {name: value for name, value in distribution.settings.items() if name == "frame_skip"}


def single(env_id: str, horizon: int, **settings: Any) -> gym.Env:
    """One Gymnasium environment, without MuJoCo's warnings (on stderr and into a file) of its model's age."""
    mujoco.set_mju_user_warning(_ignore)  # pyright: ignore[reportAttributeAccessIssue] - missing in its stubs
    try:
        return gym.make(env_id, max_episode_steps=horizon, **settings)
    except gym.error.DependencyNotInstalled as error:
        raise MetarlError(f"{env_id} is not installed ({error}): {INSTALL}") from error
    finally:
        mujoco.set_mju_user_warning(None)  # pyright: ignore[reportAttributeAccessIssue]


def installed(module: str, cure: str = INSTALL) -> Any:
    """The module; MetarlError, which names the cure, where it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MetarlError(f"{module} is not installed ({error}): {cure}") from error


def _singles(distribution: TaskDistribution, num_envs: int) -> list[Any]:
    env_id, settings = gymnasium_id(distribution), physics_settings(distribution)
    return [partial(single, env_id, distribution.horizon, **settings)] * num_envs


def _ignore(message: str) -> None:
    pass
