"""Methods: agents with settings under a name, with weights of their own or those of another method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from metarl import registry
from metarl.core.agent import AgentType
from metarl.errors import MetarlError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class Method:
    """One row of the report."""

    name: str
    agent: str
    """a registered agent, path/to/file.py:Name or package.module:Name"""
    of: str | None = None
    """the method whose trained weights it uses; None: it is trained itself, or has nothing to train"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """the agent's settings in training; in evaluation, where the weights are another method's"""
    deterministic: bool = True
    """act by the mean of the action distribution; False: by samples"""
    control: bool = False
    """a comparison for other methods; two controls are not compared with each other"""
    scratch: bool = False
    """learn single tasks from scratch instead of playing trials (see `ScratchSettings`); the agent is then an algorithm
    of stable-baselines3 or one with the same interface, package.module:Name"""

    @cached_property
    def agent_type(self) -> AgentType:
        """The agent's type; MetarlError where `agent` names something else."""
        agent_type: AgentType = registry.find("agent", self.agent)
        if getattr(agent_type, "kind", None) != "agent":
            raise MetarlError(f"{self.agent} is not an agent: give an agent's name, or path/to/file.py:Name")
        return agent_type

    @property
    def owner(self) -> str:
        """The name of the method whose trained weights it uses: `of`, or its own."""
        return self.of or self.name

    @property
    def trains(self) -> bool:
        """True for a method whose weights are trained before or in the evaluation."""
        return self.scratch or self.agent_type.learner is not None

    @cached_property
    def algorithm(self) -> type[BaseAlgorithm]:
        """The algorithm that learns single tasks; MetarlError where it cannot be imported."""
        module, _, name = self.agent.partition(":")
        try:
            return getattr(import_module(module), name)
        except (AttributeError, ImportError, ValueError) as error:
            raise MetarlError(
                f"{self.name}: no algorithm {self.agent!r} ({error}): give package.module:Name"
            ) from error

    @property
    def folder_name(self) -> str:
        """The name with every character replaced that a folder's name should not have."""
        return "".join(c if c.isalnum() or c in "-_." else "-" for c in self.name)

    def to_json(self) -> dict[str, Any]:
        """Return all fields but the name, which is the key in a suite file."""
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @staticmethod
    def from_json(name: str, data: Mapping[str, Any]) -> Method:
        """Return the method that `to_json` wrote."""
        return Method(name, **data)

    @staticmethod
    def external(reference: str) -> Method:
        """Return a method for an agent that the suite does not list, by its name or its path/to/file.py:Name."""
        agent = registry.source(reference) or reference
        return Method(registry.find("agent", reference).name, agent)


def select_methods(
    known: Mapping[str, Method], chosen: tuple[str, ...], controls: tuple[str, ...], anchors: tuple[str, ...]
) -> dict[str, Method]:
    """Return the methods of a benchmark: those chosen, controls, controls with their weights, and score anchors.

    known: the suite's methods. chosen: names of the suite's methods, or external agents. Raises MetarlError for two
    methods of the same name, and where the weights' owner is not in the suite.
    """
    selected: dict[str, Method] = {}
    for name in chosen:
        method = known[name] if name in known else Method.external(name)
        if method.name in selected or (name not in known and method.name in known):
            raise MetarlError(f"two agents are named {method.name!r}: rename yours, or name one of them only")
        selected[method.name] = method
    for name in (*controls, *anchors):
        selected.setdefault(name, known[name] if name in known else Method.external(name))
    for name, method in known.items():
        if method.of in selected and method.control:
            selected.setdefault(name, method)
    for method in [*selected.values()]:
        if method.of and method.of not in selected:
            if method.of not in known:
                raise MetarlError(
                    f"{method.name} uses the weights of {method.of!r}, which the suite lacks: add that method to it"
                )
            selected[method.of] = known[method.of]
    return selected
