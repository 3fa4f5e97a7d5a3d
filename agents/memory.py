"""The memory that an update of PPO over trials takes, known before the first: measured on a tiny one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metarl.agents.policy import CLOCK_SIZE, Policy, PolicyAgent
from metarl.agents.ppo_loss import Batch
from metarl.errors import MetarlError
from metarl.memory import GIB

SIZES = (8, 2), (8, 6)  # steps and trials of the two tiny batches whose difference is taken
GRADIENTS = 0.5  # what the backward pass holds at once, as a share of what the forward pass kept
TEMPORARY = 12  # numbers a step for advantages and means while a batch is made


class Need(NamedTuple):
    """Bytes for an env step."""

    kept: float  # of the meta-batch: what was lived through, and what the losses need of it
    worked_on: float  # of a minibatch
    valued: float  # of the meta-batch while the critic sees it, before any minibatch

    def bytes(self, steps: int, num_envs: int, minibatches: int) -> int:
        """Of an update over `num_envs` trials of `steps` steps."""
        return int(steps * num_envs * (self.kept + max(self.worked_on / minibatches, self.valued)))

    def check(self, steps: int, num_envs: int, minibatches: int, multiple: int, free: int) -> None:
        """MetarlError, with the largest number of trials that does, unless an update fits into so many bytes.

        multiple: what the number of trials must be a multiple of.
        """
        wanted = self.bytes(steps, num_envs, minibatches)
        if wanted <= free:
            return
        most = int(num_envs * free / wanted) // multiple * multiple
        cure = f"num_envs {most} is the most that fits" if most else f"not even num_envs {multiple} fits"
        raise MetarlError(
            f"an update of num_envs {num_envs} x {steps} steps takes about {wanted / GIB:.2f} GiB, and "
            f"{free / GIB:.2f} GiB are free: {cure}; more minibatches take less"
        )


def needed(policy: Policy, loss: Callable[..., tuple[Tensor, Any]], may_rest: bool) -> Need:
    """What an env step takes under loss(policy, batch, old_log_std).

    may_rest: whether environments may rest, so that rows are put into another order.
    """
    agent = PolicyAgent(policy, deterministic=True)
    agent.begin(1)
    device = policy.network.log_std.device
    obs = torch.zeros(1, *policy.observation_shape, device=device)
    agent.act(obs)
    raw = 0 if policy.observation_norm is None else _bytes(obs)
    rows = sum(map(_bytes, (*agent.seen, agent.action, agent.out)))
    learned = 4 * (CLOCK_SIZE + 5) + 1  # clock; reward, value, log-probability, advantage, target; own or not
    lived = rows + raw + _bytes(agent.features) + 4 + 1 + 1  # reward, done, resting
    small, large = (
        _kept_by(partial(loss, policy, _tiny(agent, size), policy.network.log_std.detach()), policy) for size in SIZES
    )
    kept = (large - small) / (math.prod(SIZES[1]) - math.prod(SIZES[0]))
    moved = rows + learned if may_rest else learned
    widest = max(len(weight) for weight in policy.network.critic.parameters())
    # While rows are stacked, the largest column is there twice.
    meta_batch = lived + _bytes(agent.features) + moved + 4 * TEMPORARY
    return Need(meta_batch, rows + learned + kept * (1 + GRADIENTS), 4 * 3 * widest)


def _tiny(agent: PolicyAgent, size: tuple[int, int]) -> Batch:
    def many(x: Tensor) -> Tensor:
        return x.new_zeros(*size, *x.shape[1:])

    zero = torch.zeros(size, device=agent.out.device)
    clock, own = zero.new_zeros(*size, CLOCK_SIZE), torch.ones_like(zero, dtype=torch.bool)
    now, before, action, out = map(many, (*agent.seen, agent.action, agent.out))
    return Batch(now, before, action, zero, out, clock, zero, zero, zero, zero, own, [0])


def _kept_by(loss: Callable[[], tuple[Tensor, Any]], policy: Policy) -> int:
    """Bytes that a loss keeps for its backward pass, weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in policy.parameters()}
    found: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        kept = loss()
    del kept
    return sum(found.values())


def _bytes(x: Tensor) -> int:
    return x.numel() * x.element_size()
