"""How parameters are drawn: every sampler that a task distribution may be made of.

A sampler draws values [n, *shape], n tasks in rows, knows its support, and is plain data (JSON in and out).
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
