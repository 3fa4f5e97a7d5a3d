"""The memory that an update of the MAML family takes, estimated before the first update.

The outer step holds the experience of each env step, and the activations of all batches with intermediate results of
their derivatives. The factors are measured: the estimate is 1.02 to 1.27 times the peak, with 2 and 3 layers, 1 and 2
inner steps (tests/agents/maml/test_memory_budget.py). Those for a GPU were measured on CPU, with all tasks at once.
"""

from __future__ import annotations

from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime.free_memory import check_fits

ROW, OBSERVED, ACTED = 100, 50, 30  # bytes per env step, per number of an observation, per output of the network
# Bytes per hidden unit: with tasks in groups that fit the cache (CPU), and all at once (GPU).
IN_GROUPS, AT_ONCE = 10, 26
CURVATURE = 34  # bytes per hidden unit for the graph that TRPO keeps
NO_GRAPH, FIRST_ORDER = 0.5, 0.75  # factors for Reptile, and without second derivatives


def bytes_each(policy: MetaPolicy) -> float:
    """Return the bytes that an env step of any batch takes."""
    settings = policy.settings
    experience = ROW + OBSERVED * policy.shape[0] + ACTED * policy.actions.outputs
    per_unit = AT_ONCE if policy.network.meta["head_weight"].is_cuda else IN_GROUPS
    unit_bytes = per_unit + (CURVATURE if settings.outer == "trpo" else 0)
    activations = unit_bytes * settings.layers * settings.hidden_size
    factor = NO_GRAPH if settings.outer == "reptile" else FIRST_ORDER if settings.first_order else 1.0
    return factor * (experience + activations)


def check(policy: MetaPolicy, steps: int, free: int) -> None:
    """Raise MetarlError, with the largest num_envs that fits, unless trials of `steps` steps fit into `free` bytes."""
    if len(policy.shape) > 1:
        return  # there is no estimate for planes and pixels
    settings = policy.settings
    wanted = int(steps * settings.num_envs * bytes_each(policy))
    what = f"a meta-batch of num_envs {settings.num_envs} x {steps} steps"
    check_fits(what, wanted, free, "num_envs", settings.num_envs, settings.meta_batch_size, "fewer tasks take less")
