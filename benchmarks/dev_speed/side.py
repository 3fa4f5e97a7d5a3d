"""Sides of a comparison: the workloads that a command of this folder measures."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Side(ABC):
    """One workload of a comparison."""

    @abstractmethod
    def work(self) -> int:
        """Do the smallest representative piece of work, such as a whole trial, and return its number of env steps."""

    def warm_up(self) -> None:
        """Do the unmeasured work that happens only once, such as compilation."""
        self.work()

    def close(self) -> None:  # noqa: B027 - most sides hold nothing to release
        """Release processes and threads."""


class ProfiledSide(Side):
    """A side that also measures how its time is divided among parts of its work."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)  # part -> time since warm-up

    def warm_up(self) -> None:
        super().warm_up()
        self.seconds = dict.fromkeys(self.seconds, 0.0)

    @property
    def shares(self) -> dict[str, float]:
        """Each part's fraction of the time since warm-up."""
        whole = sum(self.seconds.values())
        return {part: seconds / whole for part, seconds in self.seconds.items()}
