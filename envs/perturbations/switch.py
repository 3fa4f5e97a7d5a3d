"""Tasks that change within an episode: a parameter x may have a second value x_after, from step switch_time on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import mujoco
from torch import Tensor

from metarl.envs.perturbations.perturbation import Perturbation, Task
from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter

AFTER, TIME = "_after", "switch_time"


class Switch(Perturbation):
    """The env step of each episode at which x_after replaces x, for every x that has a second value."""

    name = "switch"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "step of the episode from which a parameter x has its second value, x_after"
        return (Parameter(TIME, unit="steps", low=0, integer=True, doc=doc),)


def after_parameters(known: Mapping[str, Parameter], names: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the parameters x_after among `names`.

    Raises MetarlError for an x_after without switch_time, for a switch_time without an x_after, and for a parameter
    whose own name ends in _after.
    """
    names = set(names)
    if reserved := [name for name in known if name.endswith(AFTER)]:
        raise MetarlError(f"{reserved[0]} ends in {AFTER}, which is reserved for second values: rename that parameter")
    after = sorted(n for n in names if n.endswith(AFTER) and n.removesuffix(AFTER) in known)
    if after and TIME not in names:
        raise MetarlError(f"{after[0]} needs {TIME}: the step at which it replaces {after[0][: -len(AFTER)]}")
    if TIME in names and not after:
        raise MetarlError(f"{TIME} changes nothing by itself: give a parameter x its second value as x{AFTER}")
    bases = (known[name.removesuffix(AFTER)] for name in after)
    return tuple(replace(p, name=p.name + AFTER, doc=f"{p.doc or p.name}: from step {TIME} on") for p in bases)


def after_switch(task: Task) -> dict[str, Tensor]:
    """Return the task from the switch on, in which each x has the value of x_after."""
    after = {name.removesuffix(AFTER): value for name, value in task.items() if name.endswith(AFTER)}
    return {**task, **after}


switch = Switch()
