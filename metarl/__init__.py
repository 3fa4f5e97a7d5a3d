"""metarl: task distributions, agents that learn to adapt, and a benchmark of how fast they do."""

__version__ = "0.1.0"

from metarl import registry
from metarl.api import evaluate, get, load, register, train
from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError
from metarl.faces.check import check_vector_env
from metarl.faces.plain import play
from metarl.laws import (
    Arc,
    Choice,
    Dirichlet,
    Disc,
    Fixed,
    Integers,
    Joint,
    Law,
    LogUniform,
    Normal,
    Permutation,
    Uniform,
    Union,
)  # fmt: skip
from metarl.parameters import Parameter
from metarl.tasks import TaskSet

__all__ = [
    "Arc", "Choice", "Dirichlet", "Disc", "Fixed", "Integers", "Joint", "Law", "LogUniform", "MetarlError", "Normal",
    "Parameter", "Permutation", "TaskDistribution", "TaskSet", "Uniform", "Union", "check_vector_env", "evaluate",
    "get", "load", "play", "register", "train",
]  # fmt: skip

registry.load_distributions()  # data only, so that their Gymnasium ids work after `import metarl`
