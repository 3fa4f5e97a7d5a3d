"""MiniGrid's environments as task distributions: the tasks are the levels of an environment.

B environments run in Python, one after another on the CPU: about 5,000 env steps per second and core, for any B.
The distributions are named by address, e.g. `metarl train rl2 metarl.envs.adapters.minigrid:DOOR_KEY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.adapters.import_extra import import_extra
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.tasks.parameter import Parameter
from metarl.tasks.samplers import Integers
from metarl.tasks.task_distribution import TaskDistribution

VIEW = (7, 7, 3)  # object, colour and state of each cell in front of the agent, in MiniGrid's encoding


class MiniGrid(Game):
    """A MiniGrid environment.

    Settings: `id`, a Gymnasium id of MiniGrid; `max_steps`, the time limit that MiniGrid's reward refers to.

    Parameters: `level`, the seed of the layout; all episodes of a trial have the same level. Rewards and actions are
    MiniGrid's; the mission is not observed.
    """

    name = "MiniGrid"
    defaults = {"id": "MiniGrid-DoorKey-5x5-v0", "max_steps": 100}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return (Parameter("level", low=0, high=2**31 - 1, integer=True, doc="seed of the layout"),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> MiniGridSimulation:
        return MiniGridSimulation(parameters, batch, settings["id"], settings["max_steps"])

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        from importlib.metadata import version

        import_extra("minigrid", "minigrid")
        return {**super().fingerprint(device), "minigrid": version("minigrid")}


class MiniGridSimulation(GameSimulation):
    """B MiniGrid environments, stepped one after another."""

    may_terminate = True
    on_host = True
    appearance = Appearance(shows_task=True, seldom_changes=True)

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, id: str, max_steps: int) -> None:
        super().__init__(parameters, batch)
        import_extra("minigrid", "minigrid")
        wrapped = [gym.make(id, max_steps=max_steps, render_mode="rgb_array") for _ in range(batch.num_envs)]
        self._envs: list[Any] = [env.unwrapped for env in wrapped]
        self._images = np.zeros((batch.num_envs, *VIEW), np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, VIEW, np.uint8)
        self.action_space = gym.spaces.Discrete(int(self._envs[0].action_space.n))

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        levels = self.task["level"].tolist()
        for i in torch.nonzero(mask).flatten().tolist():
            self._images[i] = self._envs[i].reset(seed=levels[i])[0]["image"]

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        chosen = action.tolist()
        for i in torch.nonzero(active).flatten().tolist():
            obs, reward[i], terminated[i], _, _ = self._envs[i].step(chosen[i])
            self._images[i] = obs["image"]
        self.reward_terms = {"goal": torch.from_numpy(reward).to(self.device)}
        return Outcome(self.reward_terms["goal"], torch.from_numpy(terminated).to(self.device), self.no_flags)

    def observe(self) -> Tensor:
        return torch.from_numpy(self._images.copy()).to(self.device)

    def picture(self, index: int) -> np.ndarray:
        return self._envs[index].render()

    def close(self) -> None:
        for env in self._envs:
            env.close()


DOOR_KEY = TaskDistribution(
    "MiniGridDoorKey", world="MiniGrid", settings={"id": "MiniGrid-DoorKey-6x6-v0", "max_steps": 100},
    parameters={"level": Integers(0, 99_999)},
    horizon=100, episodes=3,
    tests="find the key, the door and the goal of a level, then take the shortest path",
)  # fmt: skip
FOUR_ROOMS = TaskDistribution(
    "MiniGridFourRooms", world="MiniGrid", settings={"id": "MiniGrid-FourRooms-v0", "max_steps": 100},
    parameters={"level": Integers(0, 99_999)},
    horizon=100, episodes=4,
    tests="search four rooms for a goal, and remember its room",
)  # fmt: skip
