"""Parameters for one named element of a vector parameter, such as `body_mass_scale[torso]`; the others are neutral."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import mujoco
import numpy as np

from metarl.envs.perturbations.perturbation import Task
from metarl.envs.perturbations.switch import AFTER
from metarl.errors import unknown
from metarl.tasks.parameter import Parameter

Labels = Mapping[str, tuple[str, ...]]  # vector parameter -> names of its elements, in order


def names_of(model: mujoco.MjModel, kind: str) -> tuple[str, ...]:
    """Return the names of the model's elements of a kind: "body" (without the world), "geom", "actuator" or "dof".

    An element without a name has its index. A joint with several degrees of freedom has root.0, root.1, ...
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


def split_element(name: str) -> tuple[str, str | None]:
    """Split a name into parameter and element: "x[torso]_after" is ("x", "torso"), "x" is ("x", None)."""
    name = name.removesuffix(AFTER)
    vector, bracket, label = name.partition("[")
    return (vector, label.removesuffix("]")) if bracket and name.endswith("]") else (name, None)


def element_parameters(known: Mapping[str, Parameter], labels: Labels, names: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the parameters x[label] among `names`. Raises MetarlError for an unknown x or label."""
    elements = {}
    for name in sorted(names):
        vector, label = split_element(name)
        if label is None:
            continue
        if vector not in labels:
            raise unknown("parameter whose elements have names", vector, labels)
        if label not in labels[vector]:
            raise unknown(f"element of {vector}", label, labels[vector])
        whole = known[vector]
        neutral = np.asarray(whole.neutral)[labels[vector].index(label)]
        element = f"{vector}[{label}]"
        doc = f"{whole.doc}: {label} alone"
        elements[element] = replace(whole, name=element, shape=whole.shape[1:], neutral=neutral, doc=doc)
    return tuple(elements.values())


def with_elements(task: Task, labels: Labels) -> Task:
    """Return the task with each x[label] written to its element of x."""
    merged = dict(task)
    for name, value in task.items():
        vector, label = split_element(name)
        if label is not None and not name.endswith(AFTER):
            merged[vector] = merged[vector].clone()
            merged[vector][:, labels[vector].index(label)] = value
    return merged
