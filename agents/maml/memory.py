"""The memory that a meta-iteration takes, known before the first.

In the outer step lie, of each env step, what was lived through, and of every phase the activations and their
derivatives. The factors are measured (docs/results, "Memory"): planned is 0.6 to 1.8 times
what was taken, from 64 to 256 units, 2 and 3 layers, 1 and 2 inner steps.
"""

from __future__ import annotations

from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.memory import GIB

ROW, OBSERVED, ACTED = 200, 50, 30  # bytes of an env step, of each number seen, of each number of an action
UNIT, WIDEST = 8, 5.5  # of each unit of all hidden layers; of each of one layer, for what is worked on
OUTER = {"ppo": 1.0, "trpo": 3.2, "reptile": 0.6}  # TRPO keeps the graph of its curvature; Reptile keeps no graph
FIRST_ORDER = 0.65  # whose inner gradient keeps no graph


def bytes_each(policy: MetaPolicy) -> float:
    """Of an env step, whatever phase it is in."""
    settings = policy.settings
    lived = ROW + OBSERVED * policy.shape[0] + ACTED * policy.actions.outputs
    learned = (UNIT * settings.layers + WIDEST) * settings.hidden_size
    return OUTER[settings.outer] * (FIRST_ORDER if settings.first_order else 1.0) * (lived + learned)


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
