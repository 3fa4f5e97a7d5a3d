"""One trial of B environments, kept for learning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metarl import threads
from metarl.agents.living import Living
from metarl.agents.networks import Seen
from metarl.errors import MetarlError
from metarl.tasks import TaskSet
from metarl.world import FLAG_NAMES, NAN_ACTION


@dataclass
class Rollout:
    """A trial, time first. Rows of one environment at rest are marked, and mean nothing else."""

    seen: Seen  # [T, B, ...], what the policy saw, normalised as it was then
    obs: Tensor | None  # float32 [T, B, N], raw; None where it is seen as it is
    features: Tensor  # float32 [T, B, F], what its heads saw
    out: Tensor  # float32 [T, B, P], what the actor put out: the law of the action
    action: Tensor  # [T, B, ...], as sampled, before the world's limits
    reward: Tensor  # float32 [T, B], raw
    done: Tensor  # bool [T, B], the episode ended with this step
    resting: Tensor  # bool [T, B]
    episode: Tensor  # int64 [T], which episode of the trial
    time: Tensor  # int64 [T], steps into the episode

    @property
    def starts(self) -> list[int]:
        """Rows at which an episode begins."""
        return torch.nonzero(self.time == 0).flatten().tolist()

    def episode_returns(self, episodes: int) -> Tensor:
        """float32 [K, B], raw and undiscounted."""
        sums = torch.zeros(episodes, self.reward.shape[1], device=self.reward.device)
        return sums.index_add_(0, self.episode.to(sums.device), self.reward)


def collect(living: Living, tasks: TaskSet, seed: int, keys: Tensor | None = None) -> Rollout:
    """One trial in every environment; keys: see `Trials.begin`."""
    env, agent = living.trials, living.agent
    rows: dict[str, list[Tensor]] = {name: [] for name in _ROWS}
    episode, time = [], []
    flags = torch.zeros(env.num_envs, dtype=torch.int64, device=env.device)
    with threads.acting():
        agent.begin(env.num_envs)
        obs = env.begin(tasks, seed, keys)
        while not env.done:
            episode.append(env.episode)
            time.append(env.time)
            step, lived = living.step(obs)
            values = (
                *lived.seen, obs, lived.features, lived.out, lived.action, step.reward,
                step.terminated | step.truncated, step.resting,
            )  # fmt: skip
            for name, value in zip(_ROWS, values, strict=True):
                rows[name].append(value)
            flags |= step.flags
            obs = step.obs
            if env.time == 0 and not env.done:
                agent.noise.meet()
    _raise_on_nan(flags)
    if agent.policy.observation_norm is None:
        del rows["obs"]
    stacked = {name: torch.stack(rows.pop(name)) for name in list(rows)}  # one at a time: it is a copy
    return Rollout(
        seen=Seen(stacked.pop("now"), stacked.pop("before")),
        obs=stacked.pop("obs", None),
        episode=torch.tensor(episode), time=torch.tensor(time), **stacked,
    )  # fmt: skip


_ROWS = ("now", "before", "obs", "features", "out", "action", "reward", "done", "resting")


def _raise_on_nan(flags: Tensor) -> None:
    nan = (flags & NAN_ACTION).bool()
    if bool(nan.any()):
        where = torch.nonzero(nan).flatten().tolist()[:5]
        raise MetarlError(
            f"{FLAG_NAMES[NAN_ACTION]} in environments {where}: the policy diverged; the last checkpoint is intact; "
            "to go further, train anew with a lower learning_rate"
        )
