"""Simulations: B copies of a world that are stepped together on one device (contract 2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import gymnasium as gym
import numpy as np

from metarl.runtime.cuda_graphs import capture_cuda_graph

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from metarl.core.rng import CounterRNG

# Events inside a step that a CUDA graph cannot raise as errors: one bit each in `flags`.
NAN_ACTION = 1  # the action held a NaN or is no choice there is; zero was applied in its place
DIVERGED = 2  # the physics blew up; the episode was ended
OVERFLOW = 4  # contacts or constraints did not fit and were dropped
FLAG_NAMES = {NAN_ACTION: "NaN action", DIVERGED: "diverged physics", OVERFLOW: "contact overflow"}


class Outcome(NamedTuple):
    """The results of a step of a simulation. Environments that were not active have reward 0, no end and no flags."""

    reward: Tensor  # float32 [B]
    terminated: Tensor  # bool [B], the MDP reached an end
    flags: Tensor  # int64 [B], bits of FLAG_NAMES except DIVERGED, which is in `diverged`
    diverged: Tensor | None = None  # bool [B], the physics blew up; None where it did in no environment


@dataclass(frozen=True)
class Appearance:
    """Properties of observations that are right in this world and faults in most; the contract test reads them."""

    starts_alike: bool = False
    """every episode begins with the same observation"""
    shows_task: bool = False
    """a start observation depends on the task"""
    seldom_changes: bool = False
    """hundreds of random actions may leave an element of the observation unchanged"""


class Simulation(ABC):
    """B copies of a world, stepped together by tensor operations on one device; no host copy inside `step`."""

    num_envs: int
    device: torch.device
    observation_space: gym.spaces.Box  # of one environment: float32, or uint8 for pixels
    action_space: gym.spaces.Box | gym.spaces.Discrete
    may_terminate: bool  # whether the MDP can end an episode before its horizon
    appearance: Appearance = Appearance()
    render_fps: int = 30  # env steps in a second of the world's time, for videos
    graphed: bool = False  # whether steps and resets are captured as graphs, in which nothing may depend on a value
    on_host: bool = False  # whether the host steps it, so that a CUDA graph cannot hold it
    reward_terms: dict[str, Tensor]  # float32 [B] each, of the last step; they sum to the reward

    @abstractmethod
    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        """Set the tasks of the masked environments. task: every varied parameter, [B, *shape]; mask: bool [B]."""

    @abstractmethod
    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        """Put the masked environments into a start state drawn from `random`."""

    @abstractmethod
    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        """Advance the active environments by one env step; the others keep their state."""

    @abstractmethod
    def observe(self) -> Tensor:
        """Return float32 [B, *observation shape], or pixels, uint8 [B, height, width, 3], in new memory."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture `work`, which steps or resets this simulation, as a CUDA graph; returns what replays it."""
        return capture_cuda_graph(work, self.device)

    def overflow_warning(self) -> str | None:
        """Return a warning about what happened since the last call, such as dropped contacts, with the cure.

        Called once a trial.
        """
        return None

    def render(self, index: int, width: int, height: int) -> np.ndarray:
        """Return uint8 [height, width, 3]: a picture of one environment."""
        raise NotImplementedError(f"{type(self).__name__} draws no pictures")

    def text(self, index: int) -> str:
        """Return one environment in characters, in lines of equal width; "" where the world has no such view."""
        return ""

    def close(self) -> None:  # noqa: B027 - most simulations hold nothing to release
        """Release what the simulation holds (a renderer, threads)."""
