"""How parameters are drawn: every law that a task distribution may be made of.

A law draws values [n, *shape], n tasks in rows, knows its support, and is plain data (JSON in and out).
"""

from metarl.laws.law import Law, law_from_json
from metarl.laws.mixtures import Joint, Union
from metarl.laws.numbers import Choice, Fixed, Integers, LogUniform, Normal, Uniform
from metarl.laws.vectors import Arc, Dirichlet, Disc, Permutation

__all__ = [
    "Arc",
    "Choice",
    "Dirichlet",
    "Disc",
    "Fixed",
    "Integers",
    "Joint",
    "Law",
    "LogUniform",
    "Normal",
    "Permutation",
    "Uniform",
    "Union",
    "law_from_json",
]
