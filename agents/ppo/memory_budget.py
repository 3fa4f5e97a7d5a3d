"""The memory that an update of PPO over trials takes, known before the first: measured on a tiny batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metarl.agents.action_noise import ActionNoise
from metarl.agents.ppo.actor import PolicyActor, PolicyStep
from metarl.agents.ppo.loss import Batch
from metarl.agents.ppo.policy import CLOCK_SIZE, Policy
from metarl.runtime.free_memory import bytes_kept_by, check_fits

SIZES = (8, 2), (8, 6)  # steps and trials of the two tiny batches whose difference is taken
GRADIENTS = 0.5  # what the backward pass holds at once, as a share of what the forward pass kept
TEMPORARY = 12  # numbers a step for advantages and means while a batch is made


class Need(NamedTuple):
    """Bytes for an env step."""

    kept: float  # of the meta-batch: the rollout, and what the losses need of it
    minibatch: float  # of a minibatch in its forward and backward pass
    values: float  # of the meta-batch while the critic values it, before any minibatch

    def bytes(self, steps: int, num_envs: int, minibatches: int) -> int:
        """Return the bytes of an update over `num_envs` trials of `steps` steps."""
        return int(steps * num_envs * (self.kept + max(self.minibatch / minibatches, self.values)))

    def check(self, steps: int, num_envs: int, minibatches: int, multiple: int, free: int) -> None:
        """Raise MetarlError, with the largest number of trials that fits, unless an update fits into `free` bytes.

        multiple: the number of trials must be a multiple of it.
        """
        what = f"an update of num_envs {num_envs} x {steps} steps"
        wanted = self.bytes(steps, num_envs, minibatches)
        check_fits(what, wanted, free, "num_envs", num_envs, multiple, "more minibatches take less")


def needed(policy: Policy, loss: Callable[..., tuple[Tensor, Any]], may_rest: bool) -> Need:
    """Return what an env step takes under loss(policy, batch, old_log_std).

    may_rest: whether environments may rest, so that rows are put into another order.
    """
    actor = PolicyActor(policy)
    actor.begin(1, ActionNoise())
    obs = torch.zeros(1, *policy.observation_shape, device=policy.network.log_std.device)
    with torch.no_grad():
        acted = actor.act(obs, None)
    raw = 0 if policy.observation_norm is None else _bytes(obs)
    rows = sum(map(_bytes, (*acted.input, acted.sample, acted.dist_params)))
    learned = 4 * (CLOCK_SIZE + 5) + 1  # clock; reward, value, log-probability, advantage, target; mask
    taken = rows + raw + _bytes(acted.features) + 4 + 1 + 1  # reward, done, resting
    small, large = (
        bytes_kept_by(partial(loss, policy, _tiny(acted, size), policy.network.log_std.detach()), policy)
        for size in SIZES
    )
    kept = (large - small) / (math.prod(SIZES[1]) - math.prod(SIZES[0]))
    moved = rows + learned if may_rest else learned
    widest = max(len(weight) for weight in policy.network.critic.parameters())
    # While rows are stacked, the largest column is there twice.
    meta_batch = taken + _bytes(acted.features) + moved + 4 * TEMPORARY
    return Need(meta_batch, rows + learned + kept * (1 + GRADIENTS), 4 * 3 * widest)


def _tiny(acted: PolicyStep, size: tuple[int, int]) -> Batch:
    def many(x: Tensor) -> Tensor:
        return x.new_zeros(*size, *x.shape[1:])

    zero = torch.zeros(size, device=acted.dist_params.device)
    clock, mask = zero.new_zeros(*size, CLOCK_SIZE), torch.ones_like(zero, dtype=torch.bool)
    obs, prev, sample, dist_params = map(many, (*acted.input, acted.sample, acted.dist_params))
    return Batch(obs, prev, sample, dist_params, clock, zero, zero, zero, zero, zero, mask, [0])


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()
