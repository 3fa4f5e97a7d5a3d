"""Atari games of ale-py: the tasks are the modes and difficulties of a game.

B emulators run in Python, one after another on the CPU: about 1,500 env steps of four frames per second and core, for
any B. The distributions are named by address, e.g. `metarl train rl2 metarl.envs.adapters.atari:BREAKOUT`.
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
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter
from metarl.tasks.samplers import Choice
from metarl.tasks.task_distribution import TaskDistribution

SCREEN = (105, 80, 3)  # every other pixel of 210 x 160, the maximum of the last two frames, because objects flicker
MAX_NOOPS = 30  # most frames without action at the start of an episode; nothing else in start states is random


class Atari(Game):
    """An Atari game in the Arcade Learning Environment.

    Settings: `game`, the name of a ROM such as "breakout"; `frame_skip` (4).

    Parameters: `mode` and `difficulty` of the game. Actions are the game's minimal set. Only the number of no-ops at
    the start is random: there are no sticky actions. The reward is the change of the score.
    """

    name = "Atari"
    defaults = {"game": "breakout", "frame_skip": 4}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("mode", low=0, high=255, integer=True, doc="game mode of the cartridge"),
            Parameter("difficulty", low=0, high=3, integer=True, doc="difficulty switch of the console"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> AtariSimulation:
        return AtariSimulation(parameters, batch, settings["game"], settings["frame_skip"])

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        return {**super().fingerprint(device), "ale-py": import_extra("ale_py", "atari").__version__}


class AtariSimulation(GameSimulation):
    """B emulators, stepped one after another."""

    on_host = True
    may_terminate = True
    appearance = Appearance(shows_task=True, seldom_changes=True)

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, game: str, frame_skip: int) -> None:
        super().__init__(parameters, batch)
        self._skip = frame_skip
        self._consoles = [_console(game) for _ in range(batch.num_envs)]
        self._keys = self._consoles[0].getMinimalActionSet()
        console = self._consoles[0]
        self._choices = {"mode": console.getAvailableModes(), "difficulty": console.getAvailableDifficulties()}
        self._screens = np.zeros((batch.num_envs, *SCREEN), np.uint8)
        self.observation_space = gym.spaces.Box(0, 255, SCREEN, np.uint8)
        self.action_space = gym.spaces.Discrete(len(self._keys))

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        for name, known in self._choices.items():
            for value in self.task[name][mask].unique().tolist():
                if value not in known:
                    raise MetarlError(f"the game has no {name} {value}: choose among {list(known)}")

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        mode, difficulty = self.task["mode"].tolist(), self.task["difficulty"].tolist()
        noops = random.integers("no-ops", MAX_NOOPS + 1).tolist()
        for i in torch.nonzero(mask).flatten().tolist():
            console = self._consoles[i]
            console.setMode(mode[i])
            console.setDifficulty(difficulty[i])
            console.reset_game()
            for _ in range(noops[i]):
                console.act(0)
            self._screens[i] = console.getScreenRGB()[::2, ::2]

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        reward, terminated = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        chosen = action.tolist()
        for i in torch.nonzero(active).flatten().tolist():
            console, key = self._consoles[i], self._keys[chosen[i]]
            reward[i] = sum(console.act(key) for _ in range(self._skip - 1))
            before = console.getScreenRGB()[::2, ::2]
            reward[i] += console.act(key)
            self._screens[i] = np.maximum(before, console.getScreenRGB()[::2, ::2])
            terminated[i] = console.game_over()
        self.reward_terms = {"score": torch.from_numpy(reward).to(self.device)}
        return Outcome(self.reward_terms["score"], torch.from_numpy(terminated).to(self.device), self.no_flags)

    def observe(self) -> Tensor:
        return torch.from_numpy(self._screens.copy()).to(self.device)

    def picture(self, index: int) -> np.ndarray:
        return self._consoles[index].getScreenRGB()


def _console(game: str) -> Any:
    ale, roms = import_extra("ale_py", "atari"), import_extra("ale_py.roms", "atari")
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
    console = ale.ALEInterface()
    console.setFloat("repeat_action_probability", 0.0)
    console.setInt("random_seed", 0)
    if game not in roms.get_all_rom_ids():
        raise unknown("ROM of ale-py", game, roms.get_all_rom_ids())
    console.loadROM(roms.get_rom_path(game))
    return console


BREAKOUT = TaskDistribution(
    "AtariBreakout", world="Atari", settings={"game": "breakout"},
    parameters={"mode": Choice((0, 4, 8, 12, 16, 20, 24, 28)), "difficulty": Choice((0, 1))},
    ood={"mode": Choice((32, 36, 40, 44))},
    horizon=500, episodes=2,
    tests="adapt to one of the game's variants: breakthrough, steering or catching, of two difficulties",
)  # fmt: skip
SPACE_INVADERS = TaskDistribution(
    "AtariSpaceInvaders", world="Atari", settings={"game": "space_invaders"},
    parameters={"mode": Choice(tuple(range(12))), "difficulty": Choice((0, 1))},
    ood={"mode": Choice((12, 13, 14, 15))},
    horizon=500, episodes=2,
    tests="identify the variant (moving shields, zigzag bombs, invisible invaders) and adapt to it",
)  # fmt: skip
