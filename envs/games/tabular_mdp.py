"""TabularMDP: a random MDP of a few states."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
from metarl.tasks.parameter import Parameter


class TabularMDP(Game):
    r"""S states, A actions; everything else is drawn (Duan et al. 2016; Osband et al. 2013).

    Settings: `states` S (10); `actions` A (5); `noise` $\sigma$ (1.0).

    Action, `Discrete(A)`. Observation, S numbers: the state one-hot. Start: state 0. Episodes end only by the horizon.

    Reward (term `state_action`): $\mu(s, a) + \sigma \epsilon$, $\epsilon \sim N(0, 1)$.
    Then $s' \sim P(\cdot | s, a)$.

    Parameters: `rewards` $\mu$ [S, A]; `transitions` P [S, A, S], rows that sum to one.
    """

    name = "TabularMDP"
    defaults = {"states": 10, "actions": 5, "noise": 1.0}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        s, a = settings["states"], settings["actions"]
        return (
            Parameter("rewards", (s, a), neutral=1.0, doc="mean reward of an action in a state"),
            Parameter("transitions", (s, a, s), low=0, high=1, neutral=1 / s, doc="probability of the next state"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> TabularSimulation:
        return TabularSimulation(parameters, lanes, settings)


class TabularSimulation(GameSimulation):
    """B MDPs."""

    appearance = Appearance(starts_alike=True)

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, settings: Settings) -> None:
        super().__init__(parameters, lanes)
        self.states, self.actions, self.noise = settings["states"], settings["actions"], settings["noise"]
        self.observation_space = gym.spaces.Box(0.0, 1.0, (self.states,), np.float32)
        self.action_space = gym.spaces.Discrete(self.actions)
        self.state = torch.zeros(lanes.num_envs, dtype=torch.int64, device=lanes.device)
        self._row = torch.arange(lanes.num_envs, device=lanes.device) * (self.states * self.actions)
        self._one_hot = torch.eye(self.states, device=lanes.device)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        self.means = self.task["rewards"].float().flatten()  # [B S A]
        # The last state needs no threshold: it is what is left.
        self.thresholds = self.task["transitions"].float().cumsum(3)[..., :-1].flatten(0, 2).contiguous()

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.state = self.state.masked_fill(mask, 0)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        at = torch.add(self._row + action, self.state, alpha=self.actions)
        reward = (self.means.index_select(0, at) + self.noise * random.normal("reward")) * active
        thresholds, drawn = self.thresholds.index_select(0, at), random.uniform("next state")[:, None]
        there = torch.searchsorted(thresholds, drawn, right=True)[:, 0]  # how many thresholds the number has passed
        self.state = torch.where(active, there, self.state)
        self.reward_terms = {"state_action": reward}
        return Outcome(reward, self.nobody, self.no_flags)

    def observe(self) -> Tensor:
        return self._one_hot.index_select(0, self.state)

    def text(self, index: int) -> str:
        """The state, and the mean reward of each action in each state."""
        means = self.means.reshape(self.num_envs, self.states, self.actions)[index].tolist()
        here = int(self.state[index])
        rows = [" ".join(f"{value:6.2f}" for value in row) for row in means]
        return "\n".join(f"{'@' if s == here else ' '} state {s}  {row}" for s, row in enumerate(rows))

    def picture(self, index: int) -> np.ndarray:
        """Mean rewards, a row a state: dark is low; the row of the state it is in is orange."""
        means = self.means.reshape(self.num_envs, self.states, self.actions)[index].cpu().numpy()
        grey = np.clip((means + 2) / 6 * 255, 0, 255)[..., None]
        here = (np.arange(self.states) == int(self.state[index]))[:, None, None]
        return np.where(here, grey * np.array([1.0, 0.6, 0.2]), grey).astype(np.uint8)
