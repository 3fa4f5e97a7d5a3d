"""The loss of PPO on whole trials, and the batches that it is computed on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metarl.agents.networks.actor_critic import PolicyInput
from metarl.agents.ppo.policy import Policy
from metarl.agents.ppo.settings import PPOSettings
from metarl.core.returns import masked_mean


@dataclass
class Batch:
    """Data of whole trials; all tensors are [T, B, ...]."""

    obs: Tensor  # see PolicyInput
    prev: Tensor
    action: Tensor  # as sampled, before clipping
    dist_params: Tensor  # parameters of the distribution that the action was sampled from
    clock: Tensor
    reward: Tensor  # raw
    value: Tensor
    log_prob: Tensor
    advantage: Tensor  # normalised over the batch
    target: Tensor  # target of the critic
    mask: Tensor  # bool, steps that were taken, not at rest
    reset_steps: list[int]  # rows at which the memory is empty

    def environments(self, index: Tensor) -> Batch:
        """Return the trials of the environments in `index`, int64 [N]."""
        return Batch(**{
            name: value if name == "reset_steps" else value.index_select(1, index)
            for name, value in vars(self).items()
        })  # fmt: skip


def ppo_loss(
    policy: Policy, batch: Batch, old_log_std: Tensor, settings: PPOSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Return the loss and its parts, detached.

    The loss is the clipped surrogate (Schulman et al. 2017, equation 7) + the critic's squared error - entropy, each
    with its coefficient, as means over taken steps. With `reward_coef`, the squared error of a prediction of each
    reward is added (Jaderberg et al. 2017; Zintgraf et al. 2020): a training signal at every step for a memory that
    identifies the task, without the noise of advantages.
    """
    network = policy.network
    features = network.features(PolicyInput(batch.obs, batch.prev), batch.reset_steps)
    dist = policy.dist(network.actor(features))

    ratio = (dist.log_prob(batch.action) - batch.log_prob).exp()
    clipped_ratio = ratio.clamp(1 - settings.clip_coef, 1 + settings.clip_coef)
    policy_loss = -masked_mean(torch.min(ratio * batch.advantage, clipped_ratio * batch.advantage), batch.mask)
    value_error = network.value(features, batch.clock) - policy.value_norm.centre(batch.target)
    value_loss = masked_mean(value_error.square(), batch.mask)
    entropy = masked_mean(dist.entropy().expand_as(ratio), batch.mask)
    loss = policy_loss + settings.value_coef * value_loss - settings.entropy_coef * entropy
    parts = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}

    with torch.no_grad():
        old = policy.actions.dist(batch.dist_params, old_log_std)
        parts["kl"] = masked_mean(old.kl(dist), batch.mask)  # type: ignore[arg-type]
        parts["clipped"] = masked_mean(((ratio - 1).abs() > settings.clip_coef).float(), batch.mask)

    if settings.reward_coef > 0:
        predicted = network.reward(features, policy.actions.encode(batch.action))
        error = predicted - policy.reward_norm.centre(batch.reward)
        parts["reward_loss"] = masked_mean(error.square(), batch.mask)
        loss = loss + settings.reward_coef * parts["reward_loss"]
    return loss, {name: value.detach() for name, value in parts.items()}


def shuffled(trials: int, minibatches: int, generator: torch.Generator) -> Tensor:
    """Return the trials of each minibatch, int64 [minibatches, trials / minibatches]: a random order of all trials.

    Each minibatch has one of every `minibatches` consecutive trials. Processes, whose shards are consecutive trials,
    therefore have equally many trials of each minibatch.
    """
    among = torch.rand(trials // minibatches, minibatches, generator=generator).argsort(1)
    return (among + minibatches * torch.arange(len(among)).unsqueeze(1)).T
