"""Rollouts of all tasks at once, with an inner step of every task between two slots of a trial."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from metarl import threads
from metarl.agents.maml import faults
from metarl.agents.maml.experience import Phase, credit, log_std_of
from metarl.agents.maml.network import Params
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.noise import Noise
from metarl.environment import Transition
from metarl.errors import MetarlError
from metarl.tasks import TaskSet
from metarl.trials import Step, Trials
from metarl.world import FLAG_NAMES, NAN_ACTION


class Slot:
    """One episode of M x N environments, as it is lived: rows of [B, ...], time first."""

    def __init__(self) -> None:
        self.rows: list[tuple[Tensor, ...]] = []

    def add(self, obs: Tensor, action: Tensor, out: Tensor, reward: Tensor, resting: Tensor) -> None:
        self.rows.append((obs, action, out, reward, (~resting).float()))

    def stacked(self, tasks: int, rollouts: int) -> list[Tensor]:
        """obs (raw), action, out, reward, own: [M, N, T, ...], contiguous."""
        return [torch.stack(column, 1).unflatten(0, (tasks, rollouts)) for column in zip(*self.rows, strict=True)]


class MetaBatch(NamedTuple):
    """What M tasks x N rollouts lived through, adapted after each phase but the last."""

    tasks: TaskSet  # M
    phases: list[Phase]
    returns: list[Tensor]  # of each phase: returns-to-go [M, N, T]
    raw_obs: list[Tensor]  # of each phase: [S, *observation], own steps alone, as the world gave them


class Lived(NamedTuple):
    """One step of B environments."""

    after: Transition
    action: Tensor  # [B, ...], as sampled
    out: Tensor  # float32 [B, P], what the network put out


class ActedBy:
    """The weights [M, ...] that equal shares of the environments act by."""

    def __init__(self) -> None:
        self.params: Params = {}


class Living:
    """A policy in its environments: acting and the world's step are one function, on a GPU one graph.

    Two of them: before anybody has adapted there is one set of weights for all, afterwards one for each task.
    """

    def __init__(self, trials: Trials, policy: MetaPolicy) -> None:
        self.trials = trials
        self.policy = policy
        self._weights = alike, apart = ActedBy(), ActedBy()
        self._lived = (
            trials.environment.as_one(lambda *given: self._live(alike, *given), alike),
            trials.environment.as_one(lambda *given: self._live(apart, *given), apart),
        )
        self._apart = False  # which of the two is acted by

    def act_by(self, params: Params) -> None:
        """From now on, by these weights [M, ...]; one set is for all."""
        self._apart = len(next(iter(params.values()))) > 1
        self._weights[self._apart].params = params

    def step(self, obs: Tensor, noise: Noise) -> tuple[Step, Lived]:
        """One step from what the trial last showed."""
        trials, actions = self.trials, self.policy.actions
        numbers = actions.noise(noise, obs.new_empty(trials.num_envs, actions.outputs, dtype=torch.float32))
        found = self._lived[self._apart](obs, trials.active, numbers)
        return trials.count(found.after), found

    def _live(self, weights: ActedBy, obs: Tensor, active: Tensor, noise: Tensor) -> Lived:
        policy, params = self.policy, weights.params
        m = len(next(iter(params.values())))
        out = policy.network(params, policy.see(obs).unflatten(0, (m, -1)))
        law = policy.actions.law(out, log_std_of(params, out).flatten(1, 2))
        action = law.sample(noise.view_as(out)).flatten(0, 1)
        after = self.trials.environment.move(policy.actions.applied(action), active)
        return Lived(after, action, out.flatten(0, 1))


def sample(living: Living, tasks: TaskSet, seed: int, noise: Noise, keys: Tensor | None = None) -> MetaBatch:
    """One trial of M tasks x N rollouts, a phase for each slot; keys [M * N]: see `Trials.begin`."""
    env, policy = living.trials, living.policy
    m = len(tasks)
    n = env.num_envs // m
    params = {name: value.detach() for name, value in policy.network.params(m).items()}
    batch = MetaBatch(tasks, [], [], [])
    obs = env.begin(tasks.repeat(n), seed, keys)
    while not env.done:
        shared = not batch.phases  # nobody has adapted yet: one set of weights for all
        obs, slot = _episode(living, {k: v[:1] for k, v in params.items()} if shared else params, obs, noise)
        rows = slot.stacked(m, n)
        phase = policy.phase(params, *rows)
        batch.returns.append(credit(phase, policy.baseline, policy.settings.gamma, policy.settings.lam))
        batch.phases.append(phase)
        if policy.norm is not None:
            batch.raw_obs.append(rows[0][phase.own.bool()])
        if not env.done:
            params = _adapt(policy, params, phase, tasks)
    return batch


@torch.no_grad()
def _episode(living: Living, params: Params, obs: Tensor, noise: Noise) -> tuple[Tensor, Slot]:
    """One slot; the observation that begins the next."""
    env = living.trials
    living.act_by(params)
    slot, episode, flags = Slot(), env.episode, torch.zeros(env.num_envs, dtype=torch.int64, device=env.device)
    with threads.acting():
        while not env.done and env.episode == episode:
            step, lived = living.step(obs, noise)
            slot.add(obs, lived.action, lived.out, step.reward, step.resting)
            flags |= step.flags
            obs = step.obs
    noise.meet()
    _raise_on_nan(flags)
    return obs, slot


def _adapt(policy: MetaPolicy, params: Params, phase: Phase, tasks: TaskSet) -> Params:
    adapted = {name: value.detach() for name, value in policy.adapt(params, phase).items()}
    faults.check_inner(adapted, tasks)
    return adapted


def _raise_on_nan(flags: Tensor) -> None:
    if bool((flags & NAN_ACTION).any()):
        raise MetarlError(f"{FLAG_NAMES[NAN_ACTION]}: the policy diverged; {faults.CURE}")
