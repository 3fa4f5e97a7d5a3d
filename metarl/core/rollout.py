"""The rollout: the one loop that steps environments, for training, for adaptation and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from metarl.core.environment import Environment, Transition
from metarl.core.simulation import DIVERGED, FLAG_NAMES, NAN_ACTION
from metarl.core.trials import Step, Trials
from metarl.errors import MetarlError
from metarl.runtime import threads


class Actor(Protocol):
    """The interface that chooses actions in a rollout: a policy in training, or any agent in evaluation."""

    graphable: bool
    """True if `act` and `observe` consist of tensor operations, so that a CUDA graph can hold them"""

    def draw(self) -> Tensor | None:
        """Return the random numbers for one step, or None. They are drawn outside of CUDA graphs."""
        ...

    def act(self, obs: Tensor, noise: Tensor | None) -> Any:
        """Return a named tuple: `action` [B, ...] for observations [B, ...], and what a learner needs beside it."""
        ...

    def observe(self, acted: Any, step: Step) -> None:
        """Update the actor by the results of its action."""

    def end_episode(self) -> None:
        """Finish an episode; called after the last step of its slot."""


@dataclass
class Rollout:
    """T steps of B environments, time first. Rows of an environment at rest are marked and mean nothing else."""

    obs: Tensor | None  # [T, B, *observation], as the world gave them; None unless kept
    acted: Any  # the actor's named tuple, [T, B, ...]; None in the fields that were not kept
    reward: Tensor  # float32 [T, B]
    done: Tensor  # bool [T, B], the episode ended with this step
    resting: Tensor  # bool [T, B]
    episode: Tensor  # int64 [T], the number of the episode in the trial
    time: Tensor  # int64 [T], steps into the episode
    next_obs: Tensor  # [B, *observation], after the last step
    num_diverged: int  # env steps that ended by diverged physics

    @property
    def mask(self) -> Tensor:
        """bool [T, B]: the steps that were taken, those not at rest."""
        return ~self.resting

    @property
    def reset_steps(self) -> list[int]:
        """Rows at which an episode begins."""
        return torch.nonzero(self.time == 0).flatten().tolist()

    def episode_returns(self, episodes: int) -> Tensor:
        """Return float32 [K, B]: the undiscounted sum of rewards of each episode."""
        sums = torch.zeros(episodes, self.reward.shape[1], device=self.reward.device)
        return sums.index_add_(0, self.episode.to(sums.device), self.reward)


def rollout(
    trials: Trials, actor: Actor, obs: Tensor, keep: Collection[str] = (), episodes: int | None = None,
    nan_cure: str = "",
) -> Rollout:  # fmt: skip
    """Step all environments from `obs` until the trial is over, or for some episodes.

    keep: fields of the actor's named tuple to stack over time, and "obs" for the world's observations.
    nan_cure: the end of the error for actions that are not numbers.
    """
    rows = _Rows(keep)
    last = trials.episodes if episodes is None else trials.episode + episodes
    graph = _graphed_step(trials.environment, actor)
    with threads.acting(), torch.no_grad():
        while trials.episode < last:
            episode, time, noise = trials.episode, trials.time, actor.draw()
            if graph is not None:
                acted, transition = graph(obs, trials.active, trials.resting, noise)
                step = trials.advance(transition)
            else:
                acted = actor.act(obs, noise)
                step = trials.step(acted.action)
                actor.observe(acted, step)
            rows.append(obs, acted, step, episode, time)
            obs = step.obs
            if trials.time == 0:
                actor.end_episode()
    return rows.stack(obs, nan_cure)


def _graphed_step(environment: Environment, actor: Actor) -> Callable[..., tuple[Any, Transition]] | None:
    """Return actor and environment as one CUDA graph; None where they do not run as graphs."""
    if not (environment.uses_graphs and actor.graphable):
        return None
    return environment.graphed(actor, partial(_act_and_move, environment, actor))


def _act_and_move(
    environment: Environment, actor: Actor, obs: Tensor, active: Tensor, resting: Tensor, noise: Tensor
) -> tuple[Any, Transition]:
    acted = actor.act(obs, noise)
    after = environment.move(acted.action, active)
    step = Step(after.obs, after.reward, after.terminated, after.truncated, after.obs, resting, after.flags)
    actor.observe(acted, step)
    return acted, after


class _Rows:
    """The steps of a rollout while it runs."""

    def __init__(self, keep: Collection[str]) -> None:
        self.keep = keep
        self.obs: list[Tensor] = []
        self.acted: list[Any] = []
        self.reward: list[Tensor] = []
        self.done: list[Tensor] = []
        self.resting: list[Tensor] = []
        self.flags: list[Tensor] = []
        self.episode: list[int] = []
        self.time: list[int] = []

    def append(self, obs: Tensor, acted: Any, step: Step, episode: int, time: int) -> None:
        if "obs" in self.keep:
            self.obs.append(obs)
        self.acted.append(acted._replace(**{name: None for name in acted._fields if name not in self.keep}))
        self.reward.append(step.reward)
        self.done.append(step.terminated | step.truncated)
        self.resting.append(step.resting)
        self.flags.append(step.flags)
        self.episode.append(episode)
        self.time.append(time)

    def stack(self, next_obs: Tensor, nan_cure: str) -> Rollout:
        flags = torch.stack(self.flags)
        _raise_on_nan(flags, nan_cure)
        columns = [list(column) for column in zip(*self.acted, strict=True)]
        make = type(self.acted[0])
        self.acted.clear()
        return Rollout(
            obs=_stack(self.obs) if self.obs else None,
            acted=make(*(_stack(column) for column in columns)),
            reward=_stack(self.reward), done=_stack(self.done), resting=_stack(self.resting),
            episode=torch.tensor(self.episode), time=torch.tensor(self.time), next_obs=next_obs,
            num_diverged=int((flags & DIVERGED).bool().sum()),
        )  # fmt: skip


def _stack(rows: list[Any]) -> Any:
    """Stack tensors, or named tuples of tensors, over time. The rows are released: stacking is a copy."""
    if rows[0] is None:
        return None
    if isinstance(rows[0], tuple):
        make, columns = type(rows[0]), [list(column) for column in zip(*rows, strict=True)]
        rows.clear()
        return make(*map(_stack, columns))  # type: ignore[call-arg]
    stacked = torch.stack(rows)
    rows.clear()
    return stacked


def _raise_on_nan(flags: Tensor, cure: str) -> None:
    nan = (flags & NAN_ACTION).bool().any(0)
    if bool(nan.any()):
        where = torch.nonzero(nan).flatten().tolist()[:5]
        raise MetarlError(f"{FLAG_NAMES[NAN_ACTION]} in environments {where}: {cure}")
