"""B episodes side by side, each with its own clock: the layer under trials and under the Gymnasium API.

An `Environment` holds what a simulation does not: the task of each environment, its streams of random numbers, and the
time limit. The caller decides when to reset: `Trials` resets all environments together between slots, the Gymnasium
environments reset by autoreset mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core import returns
from metarl.core.rng import CounterRNG, stream
from metarl.core.simulation import DIVERGED, NAN_ACTION
from metarl.errors import MetarlError
from metarl.runtime import malloc
from metarl.runtime.cuda_graphs import Capture, GraphedCallable, StaticTensors, are_enabled
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

Moved = TypeVar("Moved")


class Transition(NamedTuple):
    """The results of a step. Environments that were not active keep their obs, and have reward 0 and no flags."""

    obs: Tensor  # float32 or uint8 [B, *observation], after the step and before any restart
    reward: Tensor  # float32 [B]
    terminated: Tensor  # bool [B]
    truncated: Tensor  # bool [B], by the horizon or by diverged physics
    flags: Tensor  # int64 [B], see metarl.core.simulation


class Environment:
    """Batched episodes of one task distribution."""

    def __init__(
        self,
        distribution: TaskDistribution,
        num_envs: int = 1,
        device: str | torch.device = "cpu",
        engine: str | None = None,
        task_visible: bool = False,
    ) -> None:
        if not isinstance(num_envs, int) or num_envs < 1:
            raise MetarlError(f"num_envs must be a whole number of at least 1, got {num_envs!r}")
        malloc.keep_freed_memory()
        self.distribution = distribution
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.horizon = distribution.horizon
        self.task_visible = task_visible
        self.simulation = distribution.simulated_world.build(distribution.world_config, num_envs, self.device, engine)
        self.action_space = self.simulation.action_space
        self.observation_space = self._observation_space()
        self.task: dict[str, Tensor] = {}  # of each environment, [B, *shape]
        self.all_envs = torch.ones(num_envs, dtype=torch.bool, device=self.device)
        self.episode = torch.full((num_envs,), -1, dtype=torch.int64, device=self.device)
        self.time = torch.zeros(num_envs, dtype=torch.int64, device=self.device)  # steps into the episode
        self._stream = stream(0, torch.arange(num_envs, device=self.device))
        # Needed at every step, and slow to compute.
        self._action_shape = torch.Size((num_envs, *(self.action_space.shape or ())))
        self._choices = int(self.action_space.n) if isinstance(self.action_space, gym.spaces.Discrete) else None
        self._moved: Callable[..., Transition] = self.move
        self._restarted: Callable[..., Tensor] = self._restart
        self._graphs: tuple[StaticTensors, Capture] | None = None
        self._graphed: dict[int, GraphedCallable] = {}  # id of the owner -> its function
        if self.device.type == "cuda" and not self.simulation.on_host and are_enabled():
            self.use_graphs(self.simulation.capture)

    def use_graphs(self, capture: Capture) -> None:
        """From now on, capture step and reset as one graph each with `capture`, and replay them."""
        self.simulation.graphed = True
        statics = StaticTensors(self)
        self._graphs = statics, capture
        self._moved = GraphedCallable(statics, self.move, capture)
        self._restarted = GraphedCallable(statics, self._restart, capture)

    @property
    def uses_graphs(self) -> bool:
        """True if steps are captured as CUDA graphs."""
        return self._graphs is not None

    def graphed(self, owner: object, function: Callable[..., Moved]) -> Callable[..., Moved]:
        """Return `function` of tensors as a graph, made once for each owner.

        The function calls `move` and changes the tensors that the owner holds.
        """
        assert self._graphs is not None, "check uses_graphs first"
        if id(owner) not in self._graphed:
            statics, capture = self._graphs
            statics.add(owner)
            self._graphed[id(owner)] = GraphedCallable(statics, function, capture)
        return self._graphed[id(owner)]

    @property
    def reward_terms(self) -> dict[str, Tensor]:
        """The last step's reward by named term, float32 [B] each; the terms sum to the reward."""
        return self.simulation.reward_terms

    def seed(self, seed: int | Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> None:
        """Set the random streams of the masked environments: seed [B] or one for all, key [B]."""
        key = torch.arange(self.num_envs, device=self.device) if key is None else key
        if key.shape != (self.num_envs,):
            raise MetarlError(f"keys have shape {tuple(key.shape)}, expected {(self.num_envs,)}")
        mask = self.all_envs if mask is None else mask
        self._stream = torch.where(mask, stream(seed, key), self._stream)
        self.episode = torch.where(mask, -1, self.episode)

    def assign(self, tasks: TaskSet, mask: Tensor | None = None) -> None:
        """Set the tasks of the masked environments: one for all of them, or one for each of the B environments."""
        if len(tasks) not in (1, self.num_envs):
            raise MetarlError(f"{len(tasks)} tasks for {self.num_envs} environments: give one task, or one each")
        given = {name: self._tensor(values) for name, values in self.distribution.task_set(tasks).params.items()}
        if mask is None or not self.task:
            if mask is not None and not bool(mask.all()):
                raise MetarlError("give every environment a task before you change some of them")
            self.task = given
        else:
            self.task = {n: torch.where(_wide(mask, v), v, self.task[n]) for n, v in given.items()}
        self.simulation.assign(self.task, self.all_envs if mask is None else mask)

    def reset(self, mask: Tensor | None = None) -> Tensor:
        """Start the next episode of the masked environments; returns the observations of all."""
        if not self.task:
            raise MetarlError("assign tasks before the first reset")
        return self._restarted(self.all_envs if mask is None else mask)

    def _restart(self, mask: Tensor) -> Tensor:
        self.episode = self.episode + mask
        self.time = self.time.masked_fill(mask, 0)
        self.simulation.reset(mask, self._random())
        return self._observe()

    def step(self, action: Tensor, active: Tensor | None = None) -> Transition:
        """Take one env step in the active environments (all when None)."""
        return self._moved(self._checked(action), self.all_envs if active is None else active)

    def move(self, action: Tensor, active: Tensor) -> Transition:
        """Take one env step, without checks and not as a graph."""
        wrong = None
        if self._choices is not None:
            wrong = (action < 0) | (action >= self._choices)
            if self.simulation.graphed or returns.may_hold(wrong):
                action = action.masked_fill(wrong, 0)
            else:
                wrong = None
        reward, terminated, flags, diverged = self.simulation.step(action, active, self._random())
        if wrong is not None:
            flags = flags | (wrong & active) * NAN_ACTION
        self.time = self.time + active
        truncated = self.time >= self.horizon
        if active is not self.all_envs:
            truncated = active & truncated
        if diverged is not None:
            terminated, truncated = terminated & ~diverged, truncated | diverged
            flags = flags | diverged * DIVERGED
        if self.simulation.may_terminate:
            truncated = truncated & ~terminated
        return Transition(self._observe(), reward, terminated, truncated, flags)

    def render(self, index: int = 0, width: int = 480, height: int = 480) -> np.ndarray:
        """Return uint8 [height, width, 3]: a picture of one environment."""
        return self.simulation.render(index, width, height)

    def close(self) -> None:
        """Release what the simulation holds."""
        self.simulation.close()

    def _random(self) -> CounterRNG:
        return CounterRNG(self._stream, self.episode, self.time)

    def _observe(self) -> Tensor:
        obs = self.simulation.observe()
        if not self.task_visible:
            return obs
        task = torch.cat([v.reshape(self.num_envs, -1).to(obs.dtype) for v in self.task.values()], -1)
        if obs.dim() > 2:  # planes: one more for each number of the task, equal in every cell
            task = task.view(self.num_envs, *[1] * (obs.dim() - 2), -1).expand(*obs.shape[:-1], -1)
        return torch.cat([obs, task], -1)

    def _observation_space(self) -> gym.spaces.Box:
        space = self.simulation.observation_space
        if not self.task_visible:
            return space
        if space.dtype != np.float32:
            raise MetarlError(
                f"{self.distribution.name}: task_visible appends numbers, which pixels ({space.dtype}) do not hold: "
                'use a distribution that is seen as numbers, e.g. settings={"observation": "planes"}'
            )
        specs = [spec for _, spec in sorted(self.distribution.specs.items())]  # the order of a task set, so of `task`
        low, high = (
            np.concatenate([np.full(spec.shape, getattr(spec, side)).ravel() for spec in specs])
            for side in ("low", "high")
        )
        cells = space.shape[:-1]
        low = np.concatenate([space.low, np.broadcast_to(low, (*cells, len(low)))], -1)
        high = np.concatenate([space.high, np.broadcast_to(high, (*cells, len(high)))], -1)
        return gym.spaces.Box(low.astype(np.float32), high.astype(np.float32))

    def _checked(self, action: Tensor) -> Tensor:
        shape = self._action_shape
        if not isinstance(action, Tensor):
            raise MetarlError(f"an action is a torch tensor of shape {tuple(shape)}, got {type(action).__name__}")
        if action.shape != shape:
            raise MetarlError(f"actions have shape {tuple(action.shape)}, expected {tuple(shape)}")
        if action.device.type != self.device.type:
            raise MetarlError(f"actions are on {action.device}, the environment is on {self.device}: move them there")
        discrete = self._choices is not None
        if action.is_floating_point() == discrete:
            kind = "an integer" if discrete else "a floating-point"
            raise MetarlError(f"actions have dtype {action.dtype}, expected {kind} type")
        return action

    def _tensor(self, values: np.ndarray) -> Tensor:
        tensor = torch.as_tensor(np.array(values), device=self.device)
        return tensor if len(tensor) == self.num_envs else tensor.expand(self.num_envs, *tensor.shape[1:]).clone()


def _wide(mask: Tensor, like: Tensor) -> Tensor:
    return mask.reshape(-1, *[1] * (like.dim() - 1))
