"""A learner in several processes: this process leads, and the others follow it until it closes them.

python -m metarl.benchmarks.dev_speed.distributed_learner AGENT DISTRIBUTION SETTINGS_AS_JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from metarl import registry
from metarl.runtime import distributed, threads
from metarl.runtime.launch import launch_processes


class DistributedLearner:
    """A learner whose updates are divided among `count` processes, of which this is the first.

    agent, distribution: names as on the command line. settings: the agent's settings that differ from the defaults.
    """

    def __init__(self, count: int, agent: str, distribution: str, settings: Mapping[str, Any]) -> None:
        self._stack = ExitStack()
        self._distributed = count > 1
        self._threads = max(1, threads.physics_threads() // count)
        arguments = [agent, distribution, json.dumps(dict(settings))]
        self._stack.enter_context(launch_processes(count, __name__, arguments))
        with self._process_group():
            self.learner: Any = _learner(*arguments)

    def update(self) -> None:
        """Run one update in all processes."""
        with self._process_group():
            distributed.total(1)  # the others receive a number above zero and run an update, too
            self.learner.update()

    def close(self) -> None:
        """End the other processes."""
        with self._process_group():
            distributed.total(0)
        self.learner.env.close()
        self._stack.close()

    @contextmanager
    def _process_group(self) -> Iterator[None]:
        """Join the process group, with an equal part of the threads."""
        with ExitStack() as stack:
            stack.enter_context(threads.using(self._threads))
            if self._distributed:
                stack.enter_context(distributed.process_group("cpu"))
            yield


def _learner(agent: str, distribution: str, settings: str) -> Any:
    agent_type = registry.find("agent", agent)
    chosen = agent_type.settings(**json.loads(settings))
    return agent_type.learner(registry.find("distribution", distribution), chosen, 0, "cpu")


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
