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
from metarl.errors import MetarlError
from metarl.tasks import TaskSet
from metarl.trials import Trials
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


def sample(
    env: Trials, policy: MetaPolicy, tasks: TaskSet, seed: int, noise: Noise, keys: Tensor | None = None
) -> MetaBatch:
    """One trial of M tasks x N rollouts, a phase for each slot; keys [M * N]: see `Trials.begin`."""
    m = len(tasks)
    n = env.num_envs // m
    params = {name: value.detach() for name, value in policy.network.params(m).items()}
    batch = MetaBatch(tasks, [], [], [])
    obs = env.begin(tasks.repeat(n), seed, keys)
    while not env.done:
        shared = not batch.phases  # nobody has adapted yet: one set of weights for all
        obs, slot = _live(env, policy, {k: v[:1] for k, v in params.items()} if shared else params, obs, noise)
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
def _live(env: Trials, policy: MetaPolicy, params: Params, obs: Tensor, noise: Noise) -> tuple[Tensor, Slot]:
    """One slot; the observation that begins the next."""
    m = len(next(iter(params.values())))
    slot, episode, flags = Slot(), env.episode, torch.zeros(env.num_envs, dtype=torch.int64, device=env.device)
    log_std = log_std_of(params, obs.new_empty(m)).flatten(0, 1)  # [M, 1, A]
    with threads.acting():
        while not env.done and env.episode == episode:
            seen = policy.see(obs)
            out = policy.network(params, seen.unflatten(0, (m, -1)))
            action = policy.actions.law(out, log_std).sample(noise).flatten(0, 1)
            step = env.step(policy.actions.applied(action))
            slot.add(obs, action, out.flatten(0, 1), step.reward, step.resting)
            flags |= step.flags
            obs = step.obs
    noise.meet()
    _raise_on_nan(flags)
    return obs, slot


def _adapt(policy: MetaPolicy, params: Params, phase: Phase, tasks: TaskSet) -> Params:
    adapted = {name: value.detach() for name, value in policy.adapt(params, phase).items()}
    finite = torch.stack([value.flatten(1).isfinite().all(1) for value in adapted.values()]).all(0)
    if not bool(finite.all()):
        raise faults.of_task("inner", tasks, int((~finite).nonzero()[0]))
    return adapted


def _raise_on_nan(flags: Tensor) -> None:
    if bool((flags & NAN_ACTION).any()):
        raise MetarlError(f"{FLAG_NAMES[NAN_ACTION]}: the policy diverged; {faults.CURE}")
