"""Agents (contract 8), how they are learned, and what is registered under an agent's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from metarl.errors import MetarlError, unknown

if TYPE_CHECKING:
    import gymnasium as gym
    from torch import Tensor

    from metarl.core.trials import Step
    from metarl.tasks.task_distribution import TaskDistribution


class Agent(Protocol):
    """Anything that plays trials. It is never given the task. How it learns within a trial is up to the agent."""

    def begin(self, num_envs: int) -> None:
        """Start a trial in each of B environments, without memory of the last one."""

    def act(self, obs: Tensor) -> Tensor:
        """Return actions [B, ...] for observations [B, ...]."""
        ...

    def observe(self, step: Step) -> None:
        """Take in the results of the action. An environment where `step.resting` is set took no step."""


class Learner(ABC):
    """The outer loop of one agent on one distribution: everything between two checkpoints is one `update`."""

    env_steps: int  # taken so far by all processes; steps at rest are not counted
    data_parallel: ClassVar[bool] = (
        False  # whether several processes can share an update (metarl/runtime/distributed.py)
    )

    @classmethod
    def best_processes(cls, settings: Any, cores: int) -> int:
        """Return the number of processes that learns fastest on this many CPU cores."""
        return 1

    def check_memory(self, free: int) -> None:  # noqa: B027 - optional
        """Raise MetarlError, with the largest size that fits, unless an update fits into `free` bytes."""

    @abstractmethod
    def update(self) -> dict[str, float]:
        """Roll out one meta-batch of trials and learn from it; returns metrics by name.

        A pure function of the seed, the number of updates so far and the learner's state.
        """

    @abstractmethod
    def agent(self, deterministic: bool = True) -> Agent:
        """Return the agent as learned so far; it shares weights with the learner."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to continue bit for bit; tensors and plain Python values only."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""


@dataclass(frozen=True)
class Control:
    """The same trained agent with a part disabled, to show what that part is worth."""

    about: str  # what is disabled, for tables
    settings: Mapping[str, Any]  # the settings that are changed


@dataclass(frozen=True)
class AgentType:
    """A type of agent, registered under `name`."""

    name: str
    settings: type  # a frozen dataclass; its fields become the command line's options
    learner: Callable[[TaskDistribution, Any, int, str], Learner] | None
    """(distribution, settings, seed, device) -> learner; None for an agent that is not trained"""
    restore: Callable[[gym.Space, gym.Space, Any, Mapping[str, Any], bool], Agent]
    """(observation space, action space, settings, the learner's state, deterministic) -> agent, for any environment"""
    task_visible: bool = False  # whether its observations hold the task (oracles only)
    tuned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # distribution -> settings that work there
    unsupported_settings: Mapping[str, str] = field(default_factory=dict)
    """settings of other agents that this one does not have -> the reason, a sentence"""
    changeable_settings: Callable[[Any], Collection[str]] | None = None
    """the run's settings -> names of those that may be changed in a trained agent; None for any"""
    controls: Mapping[str, Control] = field(default_factory=dict)  # by their name in `evaluate(against=...)`
    about: str = ""

    kind: ClassVar[str] = "agent"

    def best_processes(self, settings: Any, cores: int) -> int:
        """Return the number of processes with which its learner is fastest on this many CPU cores."""
        maker = getattr(self.learner, "func", self.learner)  # of a partial
        return maker.best_processes(settings, cores) if isinstance(maker, type) and issubclass(maker, Learner) else 1

    def make_settings(self, distribution: TaskDistribution, given: Mapping[str, Any]) -> Any:
        """Return the settings for this distribution: the defaults, then the tuned values, then those given."""
        known = [field.name for field in fields(self.settings)]
        for name in given:
            self.check_supported(name)
            if name not in known:
                raise unknown(f"setting of {self.name}", name, known)
        return self.settings(**{**self.tuned.get(distribution.name, {}), **given})

    def change_settings(self, settings: Any, **changes: Any) -> Any:
        """Return a trained agent's settings with some changed; MetarlError for one that only training uses."""
        known = [field.name for field in fields(settings)]
        free = known if self.changeable_settings is None else self.changeable_settings(settings)
        for name in changes:
            if name not in known:
                raise unknown(f"setting of {self.name}", name, known)
            if name not in free:
                raise MetarlError(
                    f"{name} cannot be changed in an agent that {self.name} has trained: train a new agent with "
                    f"another; what can be changed: {', '.join(free)}"
                )
        return replace(settings, **changes)

    def check_supported(self, name: str) -> None:
        """Raise MetarlError where the agent has a reason not to have this setting."""
        if name in self.unsupported_settings:
            raise MetarlError(f"the agent {self.name!r} has no setting {name}: {self.unsupported_settings[name]}")
