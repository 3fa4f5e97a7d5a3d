"""The policy of the MAML family as an actor of a rollout: M tasks side by side, each by weights of its own."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from metarl.agents.action_noise import ActionNoise
from metarl.agents.maml.network import Params
from metarl.agents.maml.policy import MetaPolicy
from metarl.core.trials import Step


class MetaStep(NamedTuple):
    """One step of B environments."""

    action: Tensor  # [B, ...], for the world
    sample: Tensor  # [B, ...], before it was clipped
    dist_params: Tensor  # float32 [B, P], the network's output


class MetaActor:
    """Acts by weights [M, ...], each set for an equal share of the environments."""

    graphable = True

    def __init__(self, policy: MetaPolicy, num_envs: int) -> None:
        self.policy = policy
        self.num_envs = num_envs
        self.params: Params = {}

    def begin(self, params: Params, noise: ActionNoise) -> None:
        """Act by these weights from now on; one set serves all environments."""
        self.params = params
        self.noise = noise

    def draw(self) -> Tensor:
        like = next(iter(self.params.values())).new_empty(self.num_envs, self.policy.actions.outputs)
        return self.policy.actions.draw(self.noise, like)

    def act(self, obs: Tensor, noise: Tensor | None) -> MetaStep:
        """Sample actions by `noise`; the mode without it."""
        policy, m = self.policy, len(next(iter(self.params.values())))
        dist_params = policy.network(self.params, policy.normalize(obs).unflatten(0, (m, -1)))
        dist = policy.actions.dist(dist_params, policy.log_std(self.params).flatten(1, 2))
        action, sample = policy.actions.choose(dist, None if noise is None else noise.view_as(dist_params))
        return MetaStep(action.flatten(0, 1), sample.flatten(0, 1), dist_params.flatten(0, 1))

    def observe(self, acted: MetaStep, step: Step) -> None:
        """A feed-forward policy keeps nothing."""

    def end_episode(self) -> None:
        self.noise.sync_draws()
