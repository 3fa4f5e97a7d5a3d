"""PPO's loss on whole trials, what it needs of them, and the minibatches it takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metarl import numerics
from metarl.agents.networks import Seen
from metarl.agents.policy import Policy
from metarl.agents.ppo_settings import PPOSettings


def shuffled(trials: int, minibatches: int, generator: torch.Generator) -> Tensor:
    """int64 [minibatches, trials / minibatches]: a random order of all trials.

    Each minibatch has one trial of every `minibatches` neighbours, so that processes, whose shares are neighbours, have
    as many as one another.
    """
    among = torch.rand(trials // minibatches, minibatches, generator=generator).argsort(1)
    return (among + minibatches * torch.arange(len(among)).unsqueeze(1)).T


PARTS = ("policy_loss", "value_loss", "entropy", "kl", "clipped")  # of a loss


def parts_of(settings: PPOSettings) -> tuple[str, ...]:
    """The parts of a loss under these settings."""
    return (*PARTS, "reward_loss") if settings.predicts_rewards else PARTS


@dataclass
class Batch:
    """What the losses of one update need; [T, B, ...] but `starts`."""

    now: Tensor  # what was seen, see Seen
    before: Tensor
    action: Tensor
    reward: Tensor  # raw
    out: Tensor  # of the actor that acted
    clock: Tensor
    value: Tensor
    log_prob: Tensor
    advantage: Tensor  # normalised over the batch
    target: Tensor  # of the critic
    own: Tensor  # bool, not at rest
    starts: list[int]  # rows at which the memory is empty

    def environments(self, index: Tensor) -> Batch:
        """The whole trials of some environments."""
        return Batch(**{
            name: value if name == "starts" else value.index_select(1, index) for name, value in vars(self).items()
        })  # fmt: skip


def ppo_loss(
    policy: Policy, batch: Batch, old_log_std: Tensor, settings: PPOSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Clipped surrogate (Schulman et al. 2017, equation 7) + critic's squared error - entropy, over own steps only.

    With `reward_coef`, + the squared error of each reward as predicted before it comes (Jaderberg et al. 2017; Zintgraf
    et al. 2020): what the memory must hold to know the task is asked of it at every step, without an advantage's noise.
    """
    network = policy.network
    features = network.features(Seen(batch.now, batch.before), batch.starts)
    law = policy.law(network.actor(features))
    ratio = (law.log_prob(batch.action) - batch.log_prob).exp()
    surrogate = torch.min(ratio * batch.advantage, ratio.clamp(1 - settings.clip, 1 + settings.clip) * batch.advantage)
    policy_loss = -numerics.masked_mean(surrogate, batch.own)
    error = network.value(features, batch.clock) - policy.value_norm.centre(batch.target)
    value_loss = numerics.masked_mean(error.square(), batch.own)
    entropy = numerics.masked_mean(law.entropy().expand_as(ratio), batch.own)
    loss = policy_loss + settings.value_coef * value_loss - settings.entropy_coef * entropy
    values = [policy_loss, value_loss, entropy]
    rewards = []
    if settings.predicts_rewards:
        missed = network.reward(features, policy.actions.seen(batch.action)) - policy.reward_norm.centre(batch.reward)
        rewards = [numerics.masked_mean(missed.square(), batch.own)]
        loss = loss + settings.reward_coef * rewards[0]
    with torch.no_grad():
        old = policy.actions.law(batch.out, old_log_std)
        kl = numerics.masked_mean(old.kl(law), batch.own)  # type: ignore[arg-type]
        clipped = numerics.masked_mean(((ratio - 1).abs() > settings.clip).float(), batch.own)
    parts = zip(parts_of(settings), (*values, kl, clipped, *rewards), strict=True)
    return loss, {name: value.detach() for name, value in parts}
