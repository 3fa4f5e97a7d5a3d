"""One element of a vector parameter by name, the others neutral: `body_mass_scale[torso]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import mujoco
import numpy as np

from metarl.envs.perturbations.perturbation import Task
from metarl.envs.perturbations.switch import AFTER
from metarl.errors import unknown
from metarl.tasks.parameter import Parameter

Labels = Mapping[str, tuple[str, ...]]  # vector parameter -> the names of its elements, in order


def names_of(model: mujoco.MjModel, kind: str) -> tuple[str, ...]:
    """Of the model's bodies (the world left out), geoms, actuators or degrees of freedom; a number where there is none.

    A joint of several degrees of freedom numbers them: root.0, root.1, ...
    """
    if kind == "dof":
        joints = model.dof_jntid.tolist()
        return tuple(
            _name(model, "joint", j) + (f".{dof - model.jnt_dofadr[j]}" if joints.count(j) > 1 else "")
            for dof, j in enumerate(joints)
        )
    count = {"body": model.nbody, "geom": model.ngeom, "actuator": model.nu}[kind]
    return tuple(_name(model, kind, i) for i in range(kind == "body", count))


def _name(model: mujoco.MjModel, kind: str, index: int) -> str:
    return getattr(model, kind)(index).name or str(index)


def split(name: str) -> tuple[str, str | None]:
    """The parameter a name speaks of, and the element if it names one: "x[torso]_after" is ("x", "torso")."""
    name = name.removesuffix(AFTER)
    vector, bracket, label = name.partition("[")
    return (vector, label.removesuffix("]")) if bracket and name.endswith("]") else (name, None)


def named_elements(known: Mapping[str, Parameter], labels: Labels, named: Iterable[str]) -> tuple[Parameter, ...]:
    """The parameters x[label] among those named; MetarlError for an x or a label that nobody knows."""
    found = {}
    for name in sorted(named):
        vector, label = split(name)
        if label is None:
            continue
        if vector not in labels:
            raise unknown("parameter whose elements have names", vector, labels)
        if label not in labels[vector]:
            raise unknown(f"element of {vector}", label, labels[vector])
        whole = known[vector]
        neutral = np.asarray(whole.neutral)[labels[vector].index(label)]
        own = f"{vector}[{label}]"
        doc = f"{whole.doc}: {label} alone"
        found[own] = replace(whole, name=own, shape=whole.shape[1:], neutral=neutral, doc=doc)
    return tuple(found.values())


def gathered(task: Task, labels: Labels) -> Task:
    """The task with each x[label] put in its place in x."""
    whole = dict(task)
    for name, value in task.items():
        vector, label = split(name)
        if label is not None and not name.endswith(AFTER):
            whole[vector] = whole[vector].clone()
            whole[vector][:, labels[vector].index(label)] = value
    return whole
