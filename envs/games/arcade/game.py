"""What every arcade game is: a world of pure functions on tensors, and the simulation that runs them.

A game says how an episode starts, how a step changes its state and what that earns, and how a state is drawn. State,
task and terms are dicts of tensors with the B environments along their first axis.
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
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
from metarl.errors import unknown
from metarl.tasks.parameter import Parameter

State = dict[str, Tensor]
Task = Mapping[str, Tensor]
OBSERVATIONS = ("planes", "pixels")


class Move(NamedTuple):
    """What a step of a game leads to, in every environment."""

    state: State
    terms: dict[str, Tensor]  # float32 [B] each; their sum is the reward
    over: Tensor | None = None  # bool [B], the episode ended; None in a game that never does


class ArcadeGame(Game):
    """Settings: `observation`, "planes" (float32 [10, 10, C]) or "pixels" (uint8 [40, 40, 3]).

    `controls[i]` of a task says which of the game's actions the agent's action i is.
    """

    defaults = {"observation": "planes"}
    actions: tuple[str, ...]
    planes: tuple[Plane, ...]
    own_parameters: tuple[Parameter, ...]
    may_terminate: bool = False

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        if settings["observation"] not in OBSERVATIONS:
            raise unknown(f"observation of {self.name}", settings["observation"], OBSERVATIONS)
        n = len(self.actions)
        controls = Parameter(
            "controls", (n,), low=0, high=n - 1, neutral=range(n), integer=True,
            doc=f"what each action does: {', '.join(f'{i} {action}' for i, action in enumerate(self.actions))}",
        )  # fmt: skip
        return (controls, *self.own_parameters)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> ArcadeSimulation:
        return ArcadeSimulation(self, parameters, lanes, settings["observation"] == "pixels")

    @abstractmethod
    def start(self, task: Task, random: CounterRNG) -> State:
        """The first state of an episode. What is drawn of it must not depend on the task."""

    @abstractmethod
    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        """One step. `action`: int64 [B], index into `actions`. Changes no tensor that it is given."""

    @abstractmethod
    def draw(self, state: State, canvas: Canvas) -> None:
        """All of the state that matters, so that the next state follows from it, the task and the action."""


class ArcadeSimulation(GameSimulation):
    """B boards of one game on one device."""

    render_fps = 10

    def __init__(self, game: ArcadeGame, parameters: tuple[Parameter, ...], lanes: Lanes, in_pixels: bool) -> None:
        super().__init__(parameters, lanes)
        self.game = game
        self.may_terminate = game.may_terminate
        self.in_pixels = in_pixels
        self.action_space = gym.spaces.Discrete(len(game.actions))
        if in_pixels:
            self.observation_space = gym.spaces.Box(0, 255, (SIZE * CELL, SIZE * CELL, 3), np.uint8)
        else:
            self.observation_space = gym.spaces.Box(0.0, 1.0, (SIZE, SIZE, len(game.planes)), np.float32)
        self._light = lights(game.planes, lanes.device)
        self._state: State = {}
        self._seen: Tensor | None = None  # what was drawn of the state, on CPU while it stands

    @property
    def _looks(self) -> bool:
        """Whether it may ask for values: free on CPU, and impossible in a graph."""
        return self.device.type == "cpu" and not self.graphed

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        rows = _few(mask) if self._state and self._looks else None
        if rows is None:
            start = self.game.start(self.task, random)
            self._state = _where(mask, start, self._state) if self._state else start
            self._seen = None
            return
        # Only the boards that begin anew are made and drawn.
        if not len(rows):
            return
        start = self.game.start({name: v[rows] for name, v in self.task.items()}, random.rows(rows))
        self._state = {name: v.index_copy(0, rows, start[name]) for name, v in self._state.items()}
        if self._seen is not None:
            self._seen = self._seen.index_copy(0, rows, self._drawn(start, len(rows)))

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        pressed = self.task["controls"].gather(1, action[:, None]).squeeze(1)
        move = self.game.move(self._state, pressed, self.task, random)
        self.reward_terms, over = dict(move.terms), self.nobody if move.over is None else move.over
        if self._looks and bool(active.all()):  # as is usual
            self._state = move.state
        else:
            self._state = _where(active, move.state, self._state)
            self.reward_terms = {name: term * active for name, term in move.terms.items()}
            over = over & active
        self._seen = None
        first, *others = self.reward_terms.values()  # one alone is the reward itself: nobody writes to either
        reward = torch.stack([first, *others]).sum(0) if others else first
        return Outcome(reward, over, self.no_flags)

    def observe(self) -> Tensor:
        if self._seen is not None:
            return self._seen
        seen = self._drawn(self._state, self.num_envs)
        self._seen = seen if self._looks else None
        return seen

    def board(self) -> Tensor:
        """float32 [B, SIZE, SIZE, C], the planes, whatever the agent sees of them."""
        return self._board(self._state, self.num_envs)

    def pixels(self) -> Tensor:
        """uint8 [B, SIZE * CELL, SIZE * CELL, 3], the same as a picture."""
        return self._pixels(self._state, self.num_envs)

    def _drawn(self, state: State, count: int) -> Tensor:
        return self._pixels(state, count) if self.in_pixels else self._board(state, count)

    def _board(self, state: State, count: int) -> Tensor:
        canvas = Planes(count, len(self.game.planes), self.device, looks=self._looks)
        self.game.draw(state, canvas)
        return canvas.board

    def _pixels(self, state: State, count: int) -> Tensor:
        screen = Screen(count, self._light)
        self.game.draw(state, screen)
        return screen.pixels()

    def picture(self, index: int) -> np.ndarray:
        return self.pixels()[index].cpu().numpy()

    def text(self, index: int) -> str:
        """Letters of the planes; where several are in a cell, that of the first."""
        board = self.board()[index].cpu().numpy()
        letters = [plane.letter for plane in self.game.planes]
        rows = [[next((a for a, v in zip(letters, cell, strict=True) if v), " ") for cell in row] for row in board]
        return "\n".join("".join(row) for row in rows)


def _where(mask: Tensor, new: State, old: State) -> State:
    return {name: torch.where(mask.view(-1, *[1] * (v.dim() - 1)), v, old[name]) for name, v in new.items()}


def _few(mask: Tensor) -> Tensor | None:
    """int64 [k], the rows set in a mask where they are at most half of all; None otherwise."""
    rows = mask.nonzero().squeeze(1)
    return rows if 2 * len(rows) <= len(mask) else None
