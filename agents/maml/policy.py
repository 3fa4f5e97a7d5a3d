"""What a trained agent of the MAML family consists of: initial weights, step sizes, normalisation, baseline."""

from __future__ import annotations

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.agents.action_laws import Law
from metarl.agents.actions import actions_of
from metarl.agents.maml.baselines import LinearBaseline, ValueBaseline
from metarl.agents.maml.experience import Phase, law_of, log_std_of
from metarl.agents.maml.inner import Rates, Rule
from metarl.agents.maml.network import Network, Params
from metarl.agents.maml.settings import MAMLSettings
from metarl.agents.maml.surrogates import SURROGATES, shares
from metarl.agents.normalization import RunningNorm
from metarl.errors import MetarlError

HEAD_GAIN = 0.1  # a small last layer: actions start near the middle of the box
VALUE_RATE, VALUE_EPOCHS = 1e-3, 5


class MetaPolicy(nn.Module):
    """Initial weights and how they are adapted."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: MAMLSettings) -> None:
        super().__init__()
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) not in (1, 3):
            raise MetarlError(f"this agent sees vectors, or planes [height, width, channels], not {observation_space}")
        self.settings = settings
        self.shape: tuple[int, ...] = observation_space.shape
        self.actions = actions_of(action_space)
        self.network = Network(
            self.shape, self.actions.outputs, settings.hidden_size, settings.layers, self.actions.stds,
            settings.initial_std, head_gain=HEAD_GAIN,
        )  # fmt: skip
        self.rates = Rates(self.network, settings.inner_lr, settings.learn_rates, settings.head_only)
        self.norm = RunningNorm(self.shape) if settings.normalize and len(self.shape) == 1 else None
        self.baseline = self._baseline()

    def see(self, obs: Tensor) -> Tensor:
        """Observations as the network sees them."""
        return obs if self.norm is None else self.norm(obs)

    @property
    def rule(self) -> Rule:
        return self.rates.rule(self.settings.first_order)

    def law(self, params: Params, obs: Tensor) -> Law:
        """The law of actions in normalised observations [M, N, T, *shape]."""
        return law_of(self.network, self.actions, params, obs)

    def adapt(self, params: Params, phase: Phase, differentiable: bool = False, law: Law | None = None) -> Params:
        """The weights after one inner step on a phase's experience.

        law: of actions in the phase under `params`, as a function of them, where it is known already.
        """

        def losses(given: Params) -> Tensor:
            log_prob = (law or self.law(given, phase.obs)).log_prob(phase.action)
            return SURROGATES[self.settings.surrogate](log_prob, phase.log_prob, phase.advantage, phase.share)

        return self.rule.step(params, losses, differentiable)

    @torch.no_grad()
    def phase(self, params: Params, obs: Tensor, action: Tensor, out: Tensor, reward: Tensor, own: Tensor) -> Phase:
        """Experience [M, N, T, ...] under `params` in raw observations, without credit yet."""
        obs = self.see(obs)
        log_std = log_std_of(params, reward).detach()
        log_prob = self.actions.law(out, log_std).log_prob(action)
        return Phase(obs, action, out, log_std, log_prob, reward, own, shares(own), torch.zeros_like(reward))

    def _baseline(self) -> LinearBaseline | ValueBaseline:
        if self.settings.baseline == "linear":
            return LinearBaseline()
        size = int(torch.Size(self.shape).numel())
        return ValueBaseline(size, self.settings.hidden_size, VALUE_RATE, VALUE_EPOCHS)
