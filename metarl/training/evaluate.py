"""Evaluation on frozen tasks: the rewards of an agent for every step and episode of its trials."""

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

EVALUATION_SEED = 20_000  # seed of start states and noise; task i, replicate e has stream i * replicates + e


@dataclass(frozen=True)
class EvalResult:
    """The results of trials on N tasks x E replicates: K episodes of at most H steps each."""

    tasks: TaskSet  # N
    reward: np.ndarray  # float32 [K, H, N, E], raw; 0 at rest
    mask: np.ndarray  # bool [K, H, N, E], steps taken, without steps at rest
    diverged: int  # number of episodes that diverged physics ended

    @property
    def returns(self) -> np.ndarray:
        """[K, N, E], the undiscounted return of each episode."""
        return self.reward.sum(1)

    def by_episode(self) -> np.ndarray:
        """Return [K]: the mean return over tasks and replicates."""
        return self.returns.mean((1, 2))

    def binned(self, width: int) -> np.ndarray:
        """Return [K, ceil(H / width), N]: the mean reward per step in bins of `width` steps, over replicates."""
        edges = np.arange(0, self.reward.shape[1], width)
        sums = np.add.reduceat(self.reward.mean(3), edges, axis=1)
        sizes = np.diff([*edges, self.reward.shape[1]])
        return sums / sizes[None, :, None]


def evaluate_agent(
    agent: Agent, env: Trials, tasks: TaskSet, replicates: int = 1, seed: int = EVALUATION_SEED
) -> EvalResult:
    """Evaluate `agent` in one trial for each of N tasks and E replicates, in the N * E environments of `env`.

    Raises MetarlError if `env` has another number of environments or the agent returns a NaN action.
    """
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
    """The actor of a rollout that acts as an agent does."""

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
        """The step that `observe` is given marks the end of an episode."""
