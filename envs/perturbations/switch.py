"""A task that changes inside the episode: any parameter x may have a second value x_after, from step switch_time on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import mujoco

from metarl.envs.perturbations.perturbation import Perturbation, Task
from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter

AFTER, TIME = "_after", "switch_time"


class Switch(Perturbation):
    """When: the env step of each episode at which x_after takes the place of x, for every x that has one."""

    name = "switch"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "step of the episode from which any parameter x has its second value, given as x_after"
        return (Parameter(TIME, unit="steps", low=0, integer=True, doc=doc),)


def second_values(known: Mapping[str, Parameter], named: Iterable[str]) -> tuple[Parameter, ...]:
    """The parameters x_after among those named; MetarlError where they or the time stand alone."""
    named = set(named)
    if taken := [name for name in known if name.endswith(AFTER)]:
        raise MetarlError(f"{taken[0]} ends in {AFTER}, which is kept for second values: rename that parameter")
    later = sorted(n for n in named if n.endswith(AFTER) and n.removesuffix(AFTER) in known)
    if later and TIME not in named:
        raise MetarlError(f"{later[0]} needs {TIME}: the step at which it takes the place of {later[0][: -len(AFTER)]}")
    if TIME in named and not later:
        raise MetarlError(f"{TIME} changes nothing by itself: give a parameter x its second value as x{AFTER}")
    bases = (known[name.removesuffix(AFTER)] for name in later)
    return tuple(replace(p, name=p.name + AFTER, doc=f"{p.doc or p.name}: from step {TIME} on") for p in bases)


def second(task: Task) -> dict:
    """The task from the switch on."""
    later = {name.removesuffix(AFTER): value for name, value in task.items() if name.endswith(AFTER)}
    return {**task, **later}


switch = Switch()
