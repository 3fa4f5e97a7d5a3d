"""Atari games through ale-py: the game's own modes and difficulties are the tasks.

An adapter: B emulators in Python, one after another on the CPU; about 1,500 env steps a second a core, of four frames,
whatever B. Distributions here are found by their address, e.g. `metarl train rl2 metarl.envs.adapters.atari:BREAKOUT`.
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
from metarl.envs.adapters.extra import need
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter
from metarl.tasks.samplers import Choice
from metarl.tasks.task_distribution import TaskDistribution

SCREEN = (105, 80, 3)  # every other pixel of 210 x 160, the brighter of the last two frames, for objects flicker
MOST_NOOPS = 30  # frames without action that an episode begins with, at most: start states differ by these alone


class Atari(Game):
    """Settings: `game`, a ROM's name such as "breakout"; `frame_skip` (4).

    Parameters: `mode` and `difficulty`, as the game has them. Actions are those the game uses. Nothing is random but
    the number of no-ops at the start: there are no sticky actions. The reward is the score's change.
    """

    name = "Atari"
    defaults = {"game": "breakout", "frame_skip": 4}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("mode", low=0, high=255, integer=True, doc="the cartridge's game mode"),
            Parameter("difficulty", low=0, high=3, integer=True, doc="the console's difficulty switch"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> AtariSimulation:
        return AtariSimulation(parameters, lanes, settings["game"], settings["frame_skip"])

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        return {**super().fingerprint(device), "ale-py": need("ale_py", "atari").__version__}


class AtariSimulation(GameSimulation):
    """B emulators in a list."""

    on_host = True
    may_terminate = True
    appearance = Appearance(shows_task=True, seldom_changes=True)

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, game: str, frame_skip: int) -> None:
        super().__init__(parameters, lanes)
        self._skip = frame_skip
        self._consoles = [_console(game) for _ in range(lanes.num_envs)]
        self._keys = self._consoles[0].getMinimalActionSet()
        console = self._consoles[0]
        self._choices = {"mode": console.getAvailableModes(), "difficulty": console.getAvailableDifficulties()}
        self._seen = np.zeros((lanes.num_envs, *SCREEN), np.uint8)
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
        noops = random.integers("no-ops", MOST_NOOPS + 1).tolist()
        for i in torch.nonzero(mask).flatten().tolist():
            console = self._consoles[i]
            console.setMode(mode[i])
            console.setDifficulty(difficulty[i])
            console.reset_game()
            for _ in range(noops[i]):
                console.act(0)
            self._seen[i] = console.getScreenRGB()[::2, ::2]

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        reward, over = np.zeros(self.num_envs, np.float32), np.zeros(self.num_envs, bool)
        chosen = action.tolist()
        for i in torch.nonzero(active).flatten().tolist():
            console, key = self._consoles[i], self._keys[chosen[i]]
            reward[i] = sum(console.act(key) for _ in range(self._skip - 1))
            before = console.getScreenRGB()[::2, ::2]
            reward[i] += console.act(key)
            self._seen[i] = np.maximum(before, console.getScreenRGB()[::2, ::2])
            over[i] = console.game_over()
        self.reward_terms = {"score": torch.from_numpy(reward).to(self.device)}
        return Outcome(self.reward_terms["score"], torch.from_numpy(over).to(self.device), self.no_flags)

    def observe(self) -> Tensor:
        return torch.from_numpy(self._seen.copy()).to(self.device)

    def picture(self, index: int) -> np.ndarray:
        return self._consoles[index].getScreenRGB()


def _console(game: str) -> Any:
    ale, roms = need("ale_py", "atari"), need("ale_py.roms", "atari")
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
    tests="play one of the cartridge's variants: breakthrough, steering, catching, of either difficulty",
)  # fmt: skip
SPACE_INVADERS = TaskDistribution(
    "AtariSpaceInvaders", world="Atari", settings={"game": "space_invaders"},
    parameters={"mode": Choice(tuple(range(12))), "difficulty": Choice((0, 1))},
    ood={"mode": Choice((12, 13, 14, 15))},
    horizon=500, episodes=2,
    tests="moving shields, zigzag bombs, invisible invaders: tell which and play on",
)  # fmt: skip
