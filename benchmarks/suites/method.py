"""Who takes part: an agent under a name, trained by itself or living from another one's training."""

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
    """the method whose trained weights it lives from; None: it trains by itself, or has nothing to learn"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """of the agent: in training, or changed for the trial where the weights are another's"""
    deterministic: bool = True
    """whether it acts by its mean, or draws its actions"""
    control: bool = False
    """drawn to measure others by: not ranked"""
    scratch: bool = False
    """lives no trials but learns single tasks from nothing, where the suite says how; its agent is then an algorithm of
    stable-baselines3 or of its kind, package.module:Name"""

    @cached_property
    def kind(self) -> AgentType:
        """The agent."""
        found: AgentType = registry.find("agent", self.agent)
        if getattr(found, "kind", None) != "agent":
            raise MetarlError(f"{self.agent} is no agent: give the name of one, or path/to/file.py:Name")
        return found

    @property
    def owner(self) -> str:
        """Whose training it lives from."""
        return self.of or self.name

    @property
    def trains(self) -> bool:
        """Whether there is anything to learn beforehand."""
        return self.scratch or self.kind.learner is not None

    @cached_property
    def algorithm(self) -> type[BaseAlgorithm]:
        """What learns single tasks."""
        module, _, name = self.agent.partition(":")
        try:
            return getattr(import_module(module), name)
        except (AttributeError, ImportError, ValueError) as error:
            raise MetarlError(
                f"{self.name}: no algorithm {self.agent!r} ({error}): give package.module:Name"
            ) from error

    @property
    def folder(self) -> str:
        """Its name as a folder's."""
        return "".join(c if c.isalnum() or c in "-_." else "-" for c in self.name)

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "name"}

    @staticmethod
    def from_json(name: str, data: Mapping[str, Any]) -> Method:
        return Method(name, **data)

    @staticmethod
    def external(reference: str) -> Method:
        """Somebody whom no suite knows, by the name of an agent or where it is defined."""
        agent = registry.source(reference) or reference
        return Method(registry.find("agent", reference).name, agent)


def lineup(
    known: Mapping[str, Method], chosen: tuple[str, ...], controls: tuple[str, ...], references: tuple[str, ...]
) -> dict[str, Method]:
    """Everybody who takes part: those chosen, the controls, whoever lives from their training, and the references.

    chosen: names of the suite's methods, or strangers. Raises MetarlError for two of one name.
    """
    everybody: dict[str, Method] = {}
    for name in chosen:
        method = known[name] if name in known else Method.external(name)
        if method.name in everybody or (name not in known and method.name in known):
            raise MetarlError(f"two agents are named {method.name!r}: rename yours, or name one of them only")
        everybody[method.name] = method
    for name in (*controls, *references):
        everybody.setdefault(name, known[name] if name in known else Method.external(name))
    for name, method in known.items():
        if method.of in everybody and method.control:
            everybody.setdefault(name, method)
    for method in [*everybody.values()]:
        if method.of and method.of not in everybody:
            if method.of not in known:
                raise MetarlError(f"{method.name} lives from the training of {method.of!r}, whom the suite lacks")
            everybody[method.of] = known[method.of]
    return everybody
