"""The policy of the MAML family as the actor of a rollout: M tasks in a batch, with separate weights for each."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.maml.network import Params
from metarl.agents.maml.policy import MetaPolicy
from metarl.core.trials import Step


class MetaStep(NamedTuple):
    """The actions at one step of B environments, and the quantities that training needs."""

    action: Tensor  # [B, ...], for the environment
    sample: Tensor  # [B, ...], the action before clipping
    dist_params: Tensor  # float32 [B, P], the network's outputs


class MetaActor:
    """An actor with M sets of weights, each for an equal number of consecutive environments."""

    graphable = True

    def __init__(self, policy: MetaPolicy, num_envs: int) -> None:
        self.policy = policy
        self.num_envs = num_envs
        self.params: Params = {}

    def begin(self, params: Params, noise: ActionNoise) -> None:
        """Act with the weights `params` [M, ...] from now on; a single set (M = 1) is used for all environments."""
        self.params = params
        self.noise = noise

    def draw(self) -> Tensor:
        like = next(iter(self.params.values())).new_empty(self.num_envs, self.policy.actions.outputs)
        return self.policy.actions.draw(self.noise, like)

    def act(self, obs: Tensor, noise: Tensor | None) -> MetaStep:
        """Return one step; actions are sampled by `noise`, or are the mode if it is None."""
        policy, m = self.policy, len(next(iter(self.params.values())))
        dist_params = policy.network(self.params, policy.normalize(obs).unflatten(0, (m, -1)))
        dist = policy.actions.dist(dist_params, policy.log_std(self.params).flatten(1, 2))
        action, sample = policy.actions.choose(dist, None if noise is None else noise.view_as(dist_params))
        return MetaStep(action.flatten(0, 1), sample.flatten(0, 1), dist_params.flatten(0, 1))

    def observe(self, acted: MetaStep, step: Step) -> None:
        """Do nothing: a feed-forward policy has no memory."""

    def end_episode(self) -> None:
        self.noise.sync_draws()
