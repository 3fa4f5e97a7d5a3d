"""The memory that a meta-iteration takes, known before the first.

In the outer step lie, of each env step, what was lived through, and of every phase the activations. The factors are
measured (docs/results, "Memory"): planned is 0.7 to 1.2 times what was taken, from 64 to 256 units, 2 and 3 layers, 1
and 2 inner steps, on a world of few numbers; 1.3 (2.1 with TRPO) on HalfCheetah.
"""

from __future__ import annotations

from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.memory import GIB

ROW, OBSERVED, ACTED = 100, 50, 30  # bytes of an env step, of each number seen, of each number of an action
UNIT = 4.5  # of each unit of all hidden layers: its activation
OUTER = {"ppo": 1.0, "trpo": 6.5, "reptile": 0.7}  # TRPO keeps the graph of its curvature; Reptile keeps no graph


def bytes_each(policy: MetaPolicy) -> float:
    """Of an env step, whatever phase it is in."""
    settings = policy.settings
    lived = ROW + OBSERVED * policy.shape[0] + ACTED * policy.actions.outputs
    return OUTER[settings.outer] * (lived + UNIT * settings.layers * settings.hidden_size)


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
