"""The base class of arcade games, and their simulation.

A game is a set of pure functions on tensors: the start of an episode, the change of state and the reward of a step, and
the drawing of a state. State, task and reward terms are dicts of tensors whose first axis is the B environments.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.arcade.board import SIZE, Canvas, Plane, Planes
from metarl.envs.games.arcade.screen import CELL, Screen, lights
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.errors import unknown
from metarl.tasks.parameter import Parameter

State = dict[str, Tensor]
Task = Mapping[str, Tensor]
OBSERVATIONS = ("planes", "pixels")


class Move(NamedTuple):
    """The result of a step of a game in every environment."""

    state: State
    terms: dict[str, Tensor]  # float32 [B] each; their sum is the reward
    terminated: Tensor | None = None  # bool [B]; None for a game that never terminates


class ArcadeGame(Game):
    """An arcade game.

    Settings: `observation`, "planes" (float32 [10, 10, C]) or "pixels" (uint8 [40, 40, 3]).

    Parameter of all games: `controls`; the agent's action i is the game's action `controls[i]`.
    """

    defaults = {"observation": "planes"}
    actions: tuple[str, ...]
    planes: tuple[Plane, ...]
    own_parameters: tuple[Parameter, ...]
    may_terminate: bool = False

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        if settings["observation"] not in OBSERVATIONS:
            raise unknown(f"observation of {self.name}", settings["observation"], OBSERVATIONS)
        n = len(self.actions)
        controls = Parameter(
            "controls", (n,), low=0, high=n - 1, neutral=range(n), integer=True,
            doc=f"effect of each action: {', '.join(f'{i} {action}' for i, action in enumerate(self.actions))}",
        )  # fmt: skip
        return (controls, *self.own_parameters)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> ArcadeSimulation:
        return ArcadeSimulation(self, parameters, batch, settings["observation"] == "pixels")

    @abstractmethod
    def start(self, task: Task, random: CounterRNG) -> State:
        """Draw the first state of an episode. Its picture must not depend on the task."""

    @abstractmethod
    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        """Return the result of a step, without in-place changes of the arguments.

        action: int64 [B], indices into `actions`.
        """

    @abstractmethod
    def draw(self, state: State, canvas: Canvas) -> None:
        """Draw the complete state: picture, task and action must determine the next state's distribution."""


class ArcadeSimulation(GameSimulation):
    """B boards of one game on one device."""

    render_fps = 10

    def __init__(self, game: ArcadeGame, parameters: tuple[Parameter, ...], batch: Batch, in_pixels: bool) -> None:
        super().__init__(parameters, batch)
        self.game = game
        self.may_terminate = game.may_terminate
        self.in_pixels = in_pixels
        self.action_space = gym.spaces.Discrete(len(game.actions))
        if in_pixels:
            self.observation_space = gym.spaces.Box(0, 255, (SIZE * CELL, SIZE * CELL, 3), np.uint8)
        else:
            self.observation_space = gym.spaces.Box(0.0, 1.0, (SIZE, SIZE, len(game.planes)), np.float32)
        self._light = lights(game.planes, batch.device)
        self._state: State = {}
        self._observation: Tensor | None = None  # cached observation of the current state, only in eager mode

    @property
    def _eager(self) -> bool:
        """True if control flow may depend on tensor values, as on CPU; False where steps are captured as graphs."""
        return self.device.type == "cpu" and not self.graphed

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        rows = _minority(mask) if self._state and self._eager else None
        if rows is None:
            start = self.game.start(self.task, random)
            self._state = _where(mask, start, self._state) if self._state else start
            self._observation = None
            return
        # Only the boards that are reset are created and drawn.
        if not len(rows):
            return
        start = self.game.start({name: v[rows] for name, v in self.task.items()}, random.rows(rows))
        self._state = {name: v.index_copy(0, rows, start[name]) for name, v in self._state.items()}
        if self._observation is not None:
            self._observation = self._observation.index_copy(0, rows, self._render_state(start, len(rows)))

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        game_action = self.task["controls"].gather(1, action[:, None]).squeeze(1)
        move = self.game.move(self._state, game_action, self.task, random)
        self.reward_terms = dict(move.terms)
        terminated = self.none_terminated if move.terminated is None else move.terminated
        if self._eager and bool(active.all()):  # the usual case
            self._state = move.state
        else:
            self._state = _where(active, move.state, self._state)
            self.reward_terms = {name: term * active for name, term in move.terms.items()}
            terminated = terminated & active
        self._observation = None
        first, *others = self.reward_terms.values()  # a single term is the reward itself; neither is written to
        reward = torch.stack([first, *others]).sum(0) if others else first
        return Outcome(reward, terminated, self.no_flags)

    def observe(self) -> Tensor:
        if self._observation is not None:
            return self._observation
        observation = self._render_state(self._state, self.num_envs)
        self._observation = observation if self._eager else None
        return observation

    def board(self) -> Tensor:
        """Return the planes, float32 [B, SIZE, SIZE, C], for either kind of observation."""
        return self._board(self._state, self.num_envs)

    def pixels(self) -> Tensor:
        """Return the pixels, uint8 [B, SIZE * CELL, SIZE * CELL, 3], for either kind of observation."""
        return self._pixels(self._state, self.num_envs)

    def _render_state(self, state: State, count: int) -> Tensor:
        return self._pixels(state, count) if self.in_pixels else self._board(state, count)

    def _board(self, state: State, count: int) -> Tensor:
        canvas = Planes(count, len(self.game.planes), self.device, eager=self._eager)
        self.game.draw(state, canvas)
        return canvas.board

    def _pixels(self, state: State, count: int) -> Tensor:
        screen = Screen(count, self._light)
        self.game.draw(state, screen)
        return screen.pixels()

    def picture(self, index: int) -> np.ndarray:
        return self.pixels()[index].cpu().numpy()

    def text(self, index: int) -> str:
        """Return the board as letters; the first plane's letter where objects overlap."""
        board = self.board()[index].cpu().numpy()
        letters = [plane.letter for plane in self.game.planes]
        rows = [[next((a for a, v in zip(letters, cell, strict=True) if v), " ") for cell in row] for row in board]
        return "\n".join("".join(row) for row in rows)


def _where(mask: Tensor, new: State, old: State) -> State:
    return {name: torch.where(mask.view(-1, *[1] * (v.dim() - 1)), v, old[name]) for name, v in new.items()}


def _minority(mask: Tensor) -> Tensor | None:
    """Return the indices that are set in a mask, int64 [k], if they are at most half of all; else None."""
    rows = mask.nonzero().squeeze(1)
    return rows if 2 * len(rows) <= len(mask) else None
