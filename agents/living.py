"""A policy living in its environments: acting, the world's step and remembering as one function, on a GPU one graph."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from metarl.agents.networks import Seen
from metarl.agents.policy import PolicyAgent
from metarl.environment import Transition
from metarl.trials import Step, Trials


class Lived(NamedTuple):
    """One step of B environments."""

    after: Transition
    seen: Seen  # what the policy saw
    features: Tensor  # float32 [B, F], what its heads saw
    out: Tensor  # float32 [B, P], what the actor put out
    action: Tensor  # [B, ...], as sampled


class Living:
    """The same policy and the same environments, trial after trial; actions are sampled."""

    def __init__(self, trials: Trials, agent: PolicyAgent) -> None:
        self.trials = trials
        self.agent = agent
        agent.in_a_graph = trials.environment.simulation.recorded
        self._lived = trials.environment.as_one(self._live, agent)

    def step(self, obs: Tensor) -> tuple[Step, Lived]:
        """One step from what the trial last showed."""
        trials = self.trials
        lived = self._lived(obs, trials.active, trials.resting, self.agent.draw())
        return trials.count(lived.after), lived

    def _live(self, obs: Tensor, active: Tensor, resting: Tensor, noise: Tensor) -> Lived:
        agent = self.agent
        after = self.trials.environment.move(agent.react(obs, noise), active)
        agent.observe(Step(after.obs, after.reward, after.terminated, after.truncated, after.obs, resting, after.flags))
        return Lived(after, agent.seen, agent.features, agent.out, agent.action)
