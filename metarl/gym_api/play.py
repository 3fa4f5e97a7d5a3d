"""Any agent in any plain Gymnasium environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from metarl.errors import MetarlError

if TYPE_CHECKING:
    from torch import Tensor

    from metarl.core.agent import Agent


def play(agent: Agent, env: gym.Env[Any, Any], episodes: int, seed: int | None = None) -> list[float]:
    """Let `agent` live one trial of `episodes` episodes in `env`; the undiscounted return of each.

    The environment is reset between episodes, the agent is not: to whoever adapts, they are one task. Observations are
    vectors; actions are vectors in [-1, 1], as everywhere in this suite, or choices. Episodes end where the environment
    or its `TimeLimit` says so. seed: of the first reset. The environment is left open.
    """
    import torch

    from metarl.core.trials import Step

    if not isinstance(episodes, int) or episodes < 1:
        raise MetarlError(f"a trial has at least 1 episode, got {episodes!r}")
    _check_actions(env.action_space)
    no, flags = torch.zeros(1, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    returns = [0.0] * episodes
    agent.begin(1)
    obs = _observed(env.reset(seed=seed)[0])
    for episode in range(episodes):
        over = False
        while not over:
            moved, reward, terminated, truncated, _ = env.step(_chosen(agent.act(obs), env.action_space))
            returns[episode] += float(reward)
            over = bool(terminated or truncated)
            obs = after = _observed(moved)
            if over and episode + 1 < episodes:
                obs = _observed(env.reset()[0])
            earned = torch.tensor([float(reward)], dtype=torch.float32)
            agent.observe(Step(obs, earned, no | bool(terminated), no | bool(truncated), after, no, flags))
    return returns


def _check_actions(space: gym.Space[Any]) -> None:
    if isinstance(space, gym.spaces.Box):
        if not (np.all(space.low == -1) and np.all(space.high == 1)):
            raise MetarlError(f"agents act in [-1, 1], not in {space}: wrap it in gymnasium.wrappers.RescaleAction")
    elif not isinstance(space, gym.spaces.Discrete):
        raise MetarlError(f"agents act by vectors in [-1, 1] or by choices, not in {space}")


def _observed(obs: Any) -> Tensor:
    """[1, *observation], uint8 for pixels, else float32."""
    import torch

    array = np.asarray(obs)
    return torch.from_numpy(array[None].astype(np.uint8 if array.dtype == np.uint8 else np.float32))


def _chosen(action: Tensor, space: gym.Space[Any]) -> Any:
    """The only row of `action`, as the environment takes it."""
    row = action.detach().cpu().numpy()[0]
    if row.shape != space.shape:
        raise MetarlError(f"the agent's action has shape {row.shape}, the environment takes {space.shape}")
    return int(row) if isinstance(space, gym.spaces.Discrete) else row.astype(space.dtype)
