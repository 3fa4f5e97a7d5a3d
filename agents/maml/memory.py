"""The memory that a meta-iteration takes, known before the first.

In the outer step lie, of each env step, what was lived through, and of every phase the activations and what the passes
through the layers make of them. The factors are measured (docs/results, "Memory"): planned is 0.7 to 1.4 times what was
taken, from 64 to 256 units, 2 and 3 layers, 1 and 2 inner steps; those of a device on CPU, with all tasks at once.
"""

from __future__ import annotations

from metarl.agents.maml import tanh_compiled
from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.memory import GIB

ROW, OBSERVED, ACTED = 100, 50, 30  # bytes of an env step, of each number seen, of each number of an action
# Bytes of each unit of all hidden layers: a block of rows at a time, some tasks at a time, all at once.
COMPILED, IN_GROUPS, AT_ONCE = 6.5, 10, 26
CURVATURE = 34  # bytes of each unit, of the graph that TRPO keeps
NO_GRAPH, FIRST_ORDER = 0.5, 0.75  # shares of Reptile, and of what has no second derivatives


def bytes_each(policy: MetaPolicy) -> float:
    """Of an env step, whatever phase it is in."""
    settings = policy.settings
    lived = ROW + OBSERVED * policy.shape[0] + ACTED * policy.actions.outputs
    unit = _unit(policy) + (CURVATURE if settings.outer == "trpo" else 0)
    learned = unit * settings.layers * settings.hidden_size
    share = NO_GRAPH if settings.outer == "reptile" else FIRST_ORDER if settings.first_order else 1.0
    return share * (lived + learned)


def _unit(policy: MetaPolicy) -> float:
    params = policy.network.params()
    layers = policy.network.layers_of(params)
    weight = layers[0][0]
    if tanh_compiled.serve(weight.new_empty(1, 1, weight.shape[1]), layers):
        return COMPILED
    return IN_GROUPS if weight.is_cpu else AT_ONCE


def check(policy: MetaPolicy, steps: int, free: int) -> None:
    """MetarlError, with the largest size that does, unless trials of so many steps fit into so many bytes."""
    if len(policy.shape) > 1:
        return  # not known for planes and pixels
    settings = policy.settings
    wanted = int(steps * settings.num_envs * bytes_each(policy))
    if wanted <= free:
        return
    tasks = settings.meta_batch_size
    most = int(settings.num_envs * free / wanted) // tasks * tasks
    cure = f"num_envs {most} is the most that fits" if most else f"not even num_envs {tasks} fits: take fewer tasks"
    raise MetarlError(
        f"a meta-batch of num_envs {settings.num_envs} x {steps} steps takes about {wanted / GIB:.2f} GiB, and "
        f"{free / GIB:.2f} GiB are free: {cure}"
    )
