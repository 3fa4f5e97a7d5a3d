"""Playing frozen tasks: what an agent earns, step by step and episode by episode, on tasks it has never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metarl import threads
from metarl.agent import Agent
from metarl.errors import MetarlError
from metarl.tasks import TaskSet
from metarl.trials import Trials
from metarl.world import DIVERGED, FLAG_NAMES, NAN_ACTION

EVALUATION_SEED = 20_000  # of start states and noise; task i, replicate e draws from stream i * replicates + e


@dataclass(frozen=True)
class Lifetimes:
    """What N tasks x E replicates lived through. Rewards are raw; a step at rest has reward 0 and is not experience."""

    tasks: TaskSet  # N
    reward: np.ndarray  # float32 [K, H, N, E], 0 where a slot was cut short
    lived: np.ndarray  # bool [K, H, N, E], a step of experience
    diverged: int  # environment steps that ended by diverged physics

    @property
    def returns(self) -> np.ndarray:
        """[K, N, E]: undiscounted return of each episode."""
        return self.reward.sum(1)

    def by_episode(self) -> np.ndarray:
        """[K]: mean return over tasks and replicates."""
        return self.returns.mean((1, 2))

    def binned(self, width: int) -> np.ndarray:
        """[K, ceil(H / width), N]: mean reward a step in bins of `width` steps, over replicates; slots in full."""
        starts = np.arange(0, self.reward.shape[1], width)
        sums = np.add.reduceat(self.reward.mean(3), starts, axis=1)
        sizes = np.diff([*starts, self.reward.shape[1]])
        return sums / sizes[None, :, None]


@torch.no_grad()
def live(agent: Agent, env: Trials, tasks: TaskSet, replicates: int = 1, seed: int = EVALUATION_SEED) -> Lifetimes:
    """Let `agent` live one trial on each task, `replicates` times, all side by side in `env` (N * E environments)."""
    if env.num_envs != len(tasks) * replicates:
        raise MetarlError(f"{len(tasks)} tasks x {replicates} replicates need {len(tasks) * replicates} environments")
    shape = (env.episodes, env.horizon, env.num_envs)
    reward, lived = np.zeros(shape, np.float32), np.zeros(shape, bool)
    diverged = torch.zeros((), dtype=torch.int64, device=env.device)
    with threads.acting():
        agent.begin(env.num_envs)
        obs = env.begin(tasks.repeat(replicates), seed)
        while not env.done:
            at = env.episode, env.time
            step = env.step(agent.act(obs))
            agent.observe(step)
            reward[at], lived[at] = step.reward.cpu().numpy(), (~step.resting).cpu().numpy()
            diverged += (step.flags & DIVERGED).bool().sum()
            _refuse_nan(step.flags)
            obs = step.obs
    n = len(tasks)
    split = (env.episodes, env.horizon, n, replicates)
    return Lifetimes(tasks, reward.reshape(split), lived.reshape(split), int(diverged))


def _refuse_nan(flags: Tensor) -> None:
    if bool((flags & NAN_ACTION).any()):
        raise MetarlError(f"{FLAG_NAMES[NAN_ACTION]}: the agent cannot be evaluated")
