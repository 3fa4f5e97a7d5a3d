"""The memory that a meta-iteration takes, known before the first.

In the outer step lie, of each env step, what was lived through, and of every phase the activations and what the passes
through the layers make of them. The factors are measured (docs/results, "Memory"): planned is 0.7 to 1.4 times what was
taken, from 64 to 256 units, 2 and 3 layers, 1 and 2 inner steps; those of a device on CPU, with all tasks at once.
"""

from __future__ import annotations

from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime.free_memory import check_fits

ROW, OBSERVED, ACTED = 100, 50, 30  # bytes of an env step, of each number seen, of each number of an action
# Bytes of each unit of all hidden layers: with tasks in groups that fit the cache (CPU), and all at once.
IN_GROUPS, AT_ONCE = 10, 26
CURVATURE = 34  # bytes of each unit, of the graph that TRPO keeps
NO_GRAPH, FIRST_ORDER = 0.5, 0.75  # shares of Reptile, and of what has no second derivatives


def bytes_each(policy: MetaPolicy) -> float:
    """Of an env step, whatever phase it is in."""
    settings = policy.settings
    lived = ROW + OBSERVED * policy.shape[0] + ACTED * policy.actions.outputs
    at_once = AT_ONCE if policy.network.meta["head_weight"].is_cuda else IN_GROUPS
    unit = at_once + (CURVATURE if settings.outer == "trpo" else 0)
    learned = unit * settings.layers * settings.hidden_size
    share = NO_GRAPH if settings.outer == "reptile" else FIRST_ORDER if settings.first_order else 1.0
    return share * (lived + learned)


def check(policy: MetaPolicy, steps: int, free: int) -> None:
    """Raise MetarlError, with the largest size that fits, unless trials of so many steps fit into `free` bytes."""
    if len(policy.shape) > 1:
        return  # not known for planes and pixels
    settings = policy.settings
    wanted = int(steps * settings.num_envs * bytes_each(policy))
    what = f"a meta-batch of num_envs {settings.num_envs} x {steps} steps"
    check_fits(what, wanted, free, "num_envs", settings.num_envs, settings.meta_batch_size, "fewer tasks take less")
