"""metarl: task distributions, agents that learn to adapt, and a benchmark of how fast they do."""

from metarl import registry
from metarl.api import evaluate, get, load, register, train
from metarl.errors import MetarlError
from metarl.gym_api.play import play
from metarl.gym_api.registration import register_ids
from metarl.gym_api.vector_env_checker import check_vector_env
from metarl.tasks.parameter import Parameter
from metarl.tasks.samplers import (  # fmt: skip
    Arc,
    Choice,
    Dirichlet,
    Disc,
    Fixed,
    Integers,
    Joint,
    LogUniform,
    Normal,
    Permutation,
    Sampler,
    Uniform,
    Union,
)
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet
from metarl.version import __version__ as __version__

__all__ = [
    "Arc",
    "Choice",
    "Dirichlet",
    "Disc",
    "Fixed",
    "Integers",
    "Joint",
    "LogUniform",
    "MetarlError",
    "Normal",
    "Parameter",
    "Permutation",
    "Sampler",
    "TaskDistribution",
    "TaskSet",
    "Uniform",
    "Union",
    "check_vector_env",
    "evaluate",
    "get",
    "load",
    "play",
    "register",
    "train",
]  # fmt: skip

registry.on_distribution(register_ids)
registry.load_distributions()  # data only, so that their Gymnasium ids work after `import metarl`
