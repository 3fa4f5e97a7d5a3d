"""A learner's updates in several processes, for measuring: this one leads, the others follow until it is closed.

python -m metarl.benchmarks.dev_speed.several AGENT DISTRIBUTION SETTINGS_AS_JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from metarl import registry
from metarl.runtime import distributed, threads
from metarl.runtime.launch import launch_processes


class Several:
    """A learner whose updates are shared with count - 1 more processes; `distribution` as the command line takes it."""

    def __init__(self, count: int, agent: str, distribution: str, settings: Mapping[str, Any]) -> None:
        self._stack = ExitStack()
        self._several = count > 1
        self._threads = max(1, threads.physics_threads() // count)
        arguments = [agent, distribution, json.dumps(dict(settings))]
        self._stack.enter_context(launch_processes(count, __name__, arguments))
        with self:
            self.learner: Any = _learner(*arguments)

    def __enter__(self) -> None:
        """Learn together within, with a share of the threads."""
        self._within = ExitStack()
        self._within.enter_context(threads.using(self._threads))
        if self._several:
            self._within.enter_context(distributed.process_group("cpu"))

    def __exit__(self, *error: object) -> None:
        self._within.close()

    def update(self) -> None:
        """One update of all."""
        with self:
            distributed.total(1)
            self.learner.update()

    def close(self) -> None:
        """Let the others go."""
        with self:
            distributed.total(0)
        self.learner.env.close()
        self._stack.close()


def _learner(agent: str, distribution: str, settings: str) -> Any:
    kind = registry.find("agent", agent)
    return kind.learner(registry.find("distribution", distribution), kind.settings(**json.loads(settings)), 0, "cpu")


def _follow(*arguments: str) -> None:
    with threads.using(None), distributed.process_group("cpu"):
        learner = _learner(*arguments)
        try:
            while distributed.total(0):
                learner.update()
        except distributed.PeerLost:
            sys.exit(1)
        finally:
            learner.env.close()


if __name__ == "__main__":
    _follow(*sys.argv[1:])
