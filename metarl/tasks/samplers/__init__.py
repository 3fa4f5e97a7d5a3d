"""Samplers: the probability distributions that a task distribution draws its parameters from.

A sampler draws values [n, *shape], one row per task, tests whether values lie in its support, and is plain data that
converts to JSON and back. In reading order:

- sampler.py: the base class `Sampler`, `Union` (mixtures, `a | b`) and `sampler_from_json`.
- values.py: checks, rounding and conversion of the numbers that samplers hold.
- numbers.py: samplers with independent elements, such as `Uniform`, `Normal` and `Choice`.
- vectors.py: samplers of vectors with dependent elements, such as `Dirichlet` and `Permutation`.
- joint.py: `Joint`, several parameters drawn at once by a user's function.
"""

from metarl.tasks.samplers.joint import Joint
from metarl.tasks.samplers.numbers import Choice, Fixed, Integers, LogUniform, Normal, Uniform
from metarl.tasks.samplers.sampler import Sampler, Union, sampler_from_json
from metarl.tasks.samplers.vectors import Arc, Dirichlet, Disc, Permutation

__all__ = [
    "Arc",
    "Choice",
    "Dirichlet",
    "Disc",
    "Fixed",
    "Integers",
    "Joint",
    "LogUniform",
    "Normal",
    "Permutation",
    "Sampler",
    "Uniform",
    "Union",
    "sampler_from_json",
]
