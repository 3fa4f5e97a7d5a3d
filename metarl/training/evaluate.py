"""Evaluation on frozen tasks: what an agent earns, step by step and episode by episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from metarl.core.agent import Agent
from metarl.core.rollout import rollout
from metarl.core.trials import Step, Trials
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet

EVALUATION_SEED = 20_000  # of start states and noise; task i, replicate e draws from stream i * replicates + e


@dataclass(frozen=True)
class EvalResult:
    """Trials of N tasks x E replicates. Rewards are raw; a step at rest has reward 0 and does not count."""

    tasks: TaskSet  # N
    reward: np.ndarray  # float32 [K, H, N, E], 0 at rest
    mask: np.ndarray  # bool [K, H, N, E], the steps that were taken
    diverged: int  # env steps that ended by diverged physics

    @property
    def returns(self) -> np.ndarray:
        """[K, N, E]: undiscounted return of each episode."""
        return self.reward.sum(1)

    def by_episode(self) -> np.ndarray:
        """Return [K]: the mean return over tasks and replicates."""
        return self.returns.mean((1, 2))

    def binned(self, width: int) -> np.ndarray:
        """Return [K, ceil(H / width), N]: the mean reward a step in bins of `width` steps, over replicates."""
        starts = np.arange(0, self.reward.shape[1], width)
        sums = np.add.reduceat(self.reward.mean(3), starts, axis=1)
        sizes = np.diff([*starts, self.reward.shape[1]])
        return sums / sizes[None, :, None]


def evaluate_agent(
    agent: Agent, env: Trials, tasks: TaskSet, replicates: int = 1, seed: int = EVALUATION_SEED
) -> EvalResult:
    """Play one trial on each task, `replicates` times, all side by side in `env` (N * E environments)."""
    if env.num_envs != len(tasks) * replicates:
        raise MetarlError(f"{len(tasks)} tasks x {replicates} replicates need {len(tasks) * replicates} environments")
    agent.begin(env.num_envs)
    obs = env.begin(tasks.repeat(replicates), seed)
    trials = rollout(env, _AgentActor(agent), obs, nan_cure="the agent cannot be evaluated")
    shape = (env.episodes, env.horizon, len(tasks), replicates)
    reward, mask = np.zeros(shape, np.float32), np.zeros(shape, bool)
    at = trials.episode.numpy(), trials.time.numpy()
    reward[at] = trials.reward.cpu().numpy().reshape(-1, *shape[2:])
    mask[at] = trials.mask.cpu().numpy().reshape(-1, *shape[2:])
    return EvalResult(tasks, reward, mask, trials.num_diverged)


class _AgentStep(NamedTuple):
    action: Tensor


class _AgentActor:
    """Any agent (contract 8) as the actor of a rollout."""

    graphable = False

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def draw(self) -> None:
        """An agent draws its own random numbers."""

    def act(self, obs: Tensor, noise: Tensor | None) -> _AgentStep:
        return _AgentStep(self.agent.act(obs))

    def observe(self, acted: Any, step: Step) -> None:
        self.agent.observe(step)

    def end_episode(self) -> None:
        """An agent learns of the end of an episode from the step."""
