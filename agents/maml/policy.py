"""The learned parts of an agent of the MAML family: initial weights, step sizes, normalisation and baseline."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.agents.action_distributions import ActionDistribution, ActionNoise, action_space_of
from metarl.agents.maml.advantages import AdaptationBatch, LinearBaseline, ValueBaseline, step_weights
from metarl.agents.maml.inner_update import SURROGATES, StepSizes
from metarl.agents.maml.network import Network, Params
from metarl.agents.maml.settings import MAMLSettings
from metarl.agents.networks.normalization import RunningNorm
from metarl.core.trials import Step
from metarl.errors import MetarlError

HEAD_GAIN = 0.1  # of the last layer: initial actions are near the middle of the box
VALUE_RATE, VALUE_EPOCHS = 1e-3, 5


class MetaPolicy(nn.Module):
    """Initial weights, and the parts that adapt them."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: MAMLSettings) -> None:
        super().__init__()
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) not in (1, 3):
            raise MetarlError(f"this agent takes vectors, or planes [height, width, channels], not {observation_space}")
        self.settings = settings
        self.shape: tuple[int, ...] = observation_space.shape
        self.actions = action_space_of(action_space)
        self.network = Network(
            self.shape, self.actions.outputs, settings.hidden_size, settings.layers, self.actions.stds,
            settings.initial_std, head_gain=HEAD_GAIN,
        )  # fmt: skip
        self.step_sizes = StepSizes(self.network, settings.inner_lr, settings.learn_rates, settings.head_only)
        self.norm = RunningNorm(self.shape) if settings.normalize and len(self.shape) == 1 else None
        self.baseline = self._baseline()

    def initial_params(self, tasks: int) -> Params:
        """Return the initial weights for each of M tasks, detached."""
        return {name: value.detach() for name, value in self.network.params(tasks).items()}

    def normalize(self, obs: Tensor) -> Tensor:
        """Return normalised observations, the inputs of the network."""
        return obs if self.norm is None else self.norm(obs)

    def dist(self, params: Params, obs: Tensor) -> ActionDistribution:
        """Return the action distribution for normalised observations [M, N, T, *shape]."""
        dist_params = self.network(params, obs.flatten(1, 2)).view(*obs.shape[:3], -1)
        return self.actions.dist(dist_params, self.log_std(params))

    def log_std(self, params: Params) -> Tensor:
        """Return log standard deviations [M, 1, 1, A] (A = 0 for discrete actions)."""
        if "log_std" in params:
            return params["log_std"][:, None, None]
        weight = next(iter(params.values()))
        return weight.new_zeros(len(weight), 1, 1, 0)

    def adapt(
        self, params: Params, batch: AdaptationBatch, differentiable: bool = False,
        dist: ActionDistribution | None = None,
    ) -> Params:  # fmt: skip
        """Return the weights after one inner step on a batch.

        dist: the action distribution on the batch as a function of `params`, if it has been computed already.
        """

        def losses(given: Params) -> Tensor:
            log_prob = (dist or self.dist(given, batch.obs)).log_prob(batch.action)
            return SURROGATES[self.settings.surrogate](log_prob, batch.log_prob, batch.advantage, batch.weight)

        return self.step_sizes.inner_update(self.settings.first_order).step(params, losses, differentiable)

    @torch.no_grad()
    def make_batch(
        self, params: Params, obs: Tensor, action: Tensor, dist_params: Tensor, reward: Tensor, mask: Tensor
    ) -> AdaptationBatch:
        """Return a batch of experience sampled with `params`; advantages are 0. obs: raw; mask: float32 [M, N, T]."""
        log_std = self.log_std(params).detach()
        log_prob = self.actions.dist(dist_params, log_std).log_prob(action)
        return AdaptationBatch(
            self.normalize(obs), action, dist_params, log_std, log_prob, reward, mask, step_weights(mask),
            torch.zeros_like(reward),
        )  # fmt: skip

    def _baseline(self) -> LinearBaseline | ValueBaseline:
        if self.settings.baseline == "linear":
            return LinearBaseline()
        size = int(torch.Size(self.shape).numel())
        return ValueBaseline(size, self.settings.hidden_size, VALUE_RATE, VALUE_EPOCHS)


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
