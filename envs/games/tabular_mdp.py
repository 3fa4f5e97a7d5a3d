"""TabularMDP: a random MDP with few states."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.tasks.parameter import Parameter


class TabularMDP(Game):
    r"""An MDP with S states and A actions, whose rewards and transitions vary (Duan et al. 2016; Osband et al. 2013).

    Settings: `states` S (10); `actions` A (5); `noise` $\sigma$ (1.0).

    Action, `Discrete(A)`. Observation, S numbers: the state one-hot. Start: state 0. Episodes end only by the horizon.

    Reward (term `state_action`): $\mu(s, a) + \sigma \epsilon$, $\epsilon \sim N(0, 1)$.
    Then $s' \sim P(\cdot | s, a)$.

    Parameters: `rewards` $\mu$ [S, A]; `transitions` P [S, A, S], whose rows sum to one.
    """

    name = "TabularMDP"
    defaults = {"states": 10, "actions": 5, "noise": 1.0}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        s, a = settings["states"], settings["actions"]
        return (
            Parameter("rewards", (s, a), neutral=1.0, doc="mean reward of an action in a state"),
            Parameter("transitions", (s, a, s), low=0, high=1, neutral=1 / s, doc="probability of the next state"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> TabularSimulation:
        return TabularSimulation(parameters, batch, settings)


class TabularSimulation(GameSimulation):
    """B MDPs."""

    appearance = Appearance(starts_alike=True)

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, settings: Settings) -> None:
        super().__init__(parameters, batch)
        self.states, self.actions, self.noise = settings["states"], settings["actions"], settings["noise"]
        self.observation_space = gym.spaces.Box(0.0, 1.0, (self.states,), np.float32)
        self.action_space = gym.spaces.Discrete(self.actions)
        self.state = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)
        self._row = torch.arange(batch.num_envs, device=batch.device) * (self.states * self.actions)
        self._one_hot = torch.eye(self.states, device=batch.device)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        self.means = self.task["rewards"].float().flatten()  # [B S A]
        # The last state needs no threshold: it has the remaining probability.
        self.thresholds = self.task["transitions"].float().cumsum(3)[..., :-1].flatten(0, 2).contiguous()

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.state = self.state.masked_fill(mask, 0)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        pair = torch.add(self._row + action, self.state, alpha=self.actions)  # index of (environment, state, action)
        reward = (self.means.index_select(0, pair) + self.noise * random.normal("reward")) * active
        thresholds, uniform = self.thresholds.index_select(0, pair), random.uniform("next state")[:, None]
        after = torch.searchsorted(thresholds, uniform, right=True)[:, 0]  # inverse of the distribution function
        self.state = torch.where(active, after, self.state)
        self.reward_terms = {"state_action": reward}
        return Outcome(reward, self.none_terminated, self.no_flags)

    def observe(self) -> Tensor:
        return self._one_hot.index_select(0, self.state)

    def text(self, index: int) -> str:
        """Return the mean reward of each action in each state; `@` marks the current state."""
        means = self.means.reshape(self.num_envs, self.states, self.actions)[index].tolist()
        current = int(self.state[index])
        rows = [" ".join(f"{value:6.2f}" for value in row) for row in means]
        return "\n".join(f"{'@' if s == current else ' '} state {s}  {row}" for s, row in enumerate(rows))

    def picture(self, index: int) -> np.ndarray:
        """Draw the mean rewards, a row per state, dark for low values; the current state's row is orange."""
        means = self.means.reshape(self.num_envs, self.states, self.actions)[index].cpu().numpy()
        grey = np.clip((means + 2) / 6 * 255, 0, 255)[..., None]
        current = (np.arange(self.states) == int(self.state[index]))[:, None, None]
        return np.where(current, grey * np.array([1.0, 0.6, 0.2]), grey).astype(np.uint8)
