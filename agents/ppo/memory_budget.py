"""The memory that an update of PPO over trials takes, estimated before the first update from tiny batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.ppo.loss import Batch
from metarl.agents.ppo.policy import CLOCK_SIZE, Policy, PolicyActor, PolicyStep
from metarl.runtime.free_memory import bytes_kept_by, check_fits

SIZES = (8, 2), (8, 6)  # steps and trials of two tiny batches; the difference of their memory is measured
GRADIENTS = 0.5  # memory of the backward pass, as a fraction of what the forward pass keeps
TEMPORARY = 12  # numbers per step for advantages and means while a batch is made


class Need(NamedTuple):
    """Bytes per env step."""

    kept: float  # in the meta-batch: the rollout, and the batch for the loss
    minibatch: float  # in a minibatch, in its forward and backward pass
    values: float  # in the meta-batch, while the critic computes its values, before any minibatch

    def bytes(self, steps: int, num_envs: int, minibatches: int) -> int:
        """Return the bytes that an update over `num_envs` trials of `steps` steps takes."""
        return int(steps * num_envs * (self.kept + max(self.minibatch / minibatches, self.values)))

    def check(self, steps: int, num_envs: int, minibatches: int, multiple: int, free: int) -> None:
        """Raise MetarlError, with the largest number of trials that fits, unless an update fits into `free` bytes.

        multiple: the number of trials must be a multiple of this.
        """
        what = f"an update of num_envs {num_envs} x {steps} steps"
        wanted = self.bytes(steps, num_envs, minibatches)
        check_fits(what, wanted, free, "num_envs", num_envs, multiple, "more minibatches take less")


def needed(policy: Policy, loss: Callable[..., tuple[Tensor, Any]], may_rest: bool) -> Need:
    """Return the memory that an env step takes with loss(policy, batch, old_log_std).

    may_rest: whether environments may rest; if so, a copy of the rows in another order is made.
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
    # While rows are stacked, the largest column exists twice.
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
