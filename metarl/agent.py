"""What an agent is (contract 8), how one is learned, and what is registered under an agent's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import gymnasium as gym
    from torch import Tensor

    from metarl.distribution import TaskDistribution
    from metarl.trials import Step


class Agent(Protocol):
    """Anything that lives through a trial. It is never handed the task; what it learns in between is its own affair."""

    def begin(self, num_envs: int) -> None:
        """A new trial in each of B environments: forget the last one."""

    def act(self, obs: Tensor) -> Tensor:
        """Actions [B, ...] for observations [B, ...]."""
        ...

    def observe(self, step: Step) -> None:
        """What the action led to. Where `step.resting` is set, nothing did."""


class Learner(ABC):
    """The outer loop of one agent on one distribution: everything between two checkpoints is one `update`."""

    env_steps: int  # taken so far, steps at rest not counted; by all processes
    data_parallel: ClassVar[bool] = False  # whether several processes share its updates out (metarl/parallel.py)

    @classmethod
    def processes(cls, settings: Any, cores: int) -> int:
        """As how many processes it learns fastest on this many CPU cores."""
        return 1

    def check_memory(self, free: int) -> None:  # noqa: B027 - for those that can tell
        """MetarlError, with the largest size that does, unless an update fits into so many bytes of this process's."""

    @abstractmethod
    def update(self) -> dict[str, float]:
        """Roll out one meta-batch of trials and learn from it; metrics by name.

        A pure function of the seed, the number of updates so far and the learner's state.
        """

    @abstractmethod
    def agent(self, deterministic: bool = True) -> Agent:
        """The agent as learned so far, sharing weights with the learner."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to continue bit for bit; tensors and plain Python values only."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Control:
    """The same trained agent with something taken away, to show what that is worth."""

    about: str  # what is taken away, in a table
    settings: Mapping[str, Any]  # what is changed


@dataclass(frozen=True)
class AgentType:
    """A kind of agent, registered under `name`."""

    name: str
    settings: type  # a frozen dataclass; its fields become the command line's options
    learner: Callable[[TaskDistribution, Any, int, str], Learner] | None
    """(distribution, settings, seed, device) -> learner; None for an agent that has nothing to learn beforehand"""
    restore: Callable[[gym.Space, gym.Space, Any, Mapping[str, Any], bool], Agent]
    """(observation space, action space, settings, the learner's state, deterministic) -> agent, for any environment"""
    task_visible: bool = False  # whether its observations carry the task (oracles only)
    tuned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # distribution -> settings that work there
    declined: Mapping[str, str] = field(default_factory=dict)  # settings of others that it has not -> why, a sentence
    lived_by: Callable[[Any], Collection[str]] | None = None
    """the run's settings -> those that a trained agent may be given anew; None for any"""
    controls: Mapping[str, Control] = field(default_factory=dict)  # by the name to ask for in `evaluate(against=...)`
    about: str = ""

    kind: ClassVar[str] = "agent"

    def processes(self, settings: Any, cores: int) -> int:
        """As how many processes its learner is fastest on this many CPU cores."""
        maker = getattr(self.learner, "func", self.learner)  # of a partial
        return maker.processes(settings, cores) if isinstance(maker, type) and issubclass(maker, Learner) else 1
