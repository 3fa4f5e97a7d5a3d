"""`metarl.play`: a trial of any agent in any Gymnasium environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from metarl.errors import MetarlError

if TYPE_CHECKING:
    from torch import Tensor

    from metarl.core.agent import Agent


def play(agent: Agent, env: gym.Env[Any, Any], episodes: int, seed: int | None = None) -> list[float]:
    """Run one trial of `episodes` episodes of `agent` in `env` and return the undiscounted return of each episode.

    The environment is reset between episodes and the agent is not: all episodes have the same task. Observations are
    vectors. Actions are vectors in [-1, 1], as in all of metarl's environments, or discrete. Episodes end when the
    environment or its `TimeLimit` ends them. seed: seed of the first reset. The environment is not closed.

    Raises MetarlError for an action space that is neither [-1, 1] nor discrete, and for shapes that do not match.
    """
    import torch

    from metarl.core.trials import Step

    if not isinstance(episodes, int) or episodes < 1:
        raise MetarlError(f"a trial has at least 1 episode, got {episodes!r}")
    _check_actions(env.action_space)
    no, flags = torch.zeros(1, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    returns = [0.0] * episodes
    agent.begin(1)
    obs = _observation(env.reset(seed=seed)[0])
    for episode in range(episodes):
        over = False
        while not over:
            next_obs, reward, terminated, truncated, _ = env.step(_env_action(agent.act(obs), env.action_space))
            returns[episode] += float(reward)
            over = bool(terminated or truncated)
            obs = final_obs = _observation(next_obs)
            if over and episode + 1 < episodes:
                obs = _observation(env.reset()[0])
            rewards = torch.tensor([float(reward)], dtype=torch.float32)
            agent.observe(Step(obs, rewards, no | bool(terminated), no | bool(truncated), final_obs, no, flags))
    return returns


def _check_actions(space: gym.Space[Any]) -> None:
    if isinstance(space, gym.spaces.Box):
        if not (np.all(space.low == -1) and np.all(space.high == 1)):
            raise MetarlError(f"agents act in [-1, 1], not in {space}: wrap it in gymnasium.wrappers.RescaleAction")
    elif not isinstance(space, gym.spaces.Discrete):
        raise MetarlError(f"agents act in vectors in [-1, 1] or in discrete spaces, not in {space}")


def _observation(obs: Any) -> Tensor:
    """Return [1, *observation], uint8 for pixels, else float32."""
    import torch

    array = np.asarray(obs)
    return torch.from_numpy(array[None].astype(np.uint8 if array.dtype == np.uint8 else np.float32))


def _env_action(action: Tensor, space: gym.Space[Any]) -> Any:
    """Return the only row of `action` in the form that the environment takes."""
    row = action.detach().cpu().numpy()[0]
    if row.shape != space.shape:
        raise MetarlError(f"the agent's action has shape {row.shape}, the environment takes {space.shape}")
    return int(row) if isinstance(space, gym.spaces.Discrete) else row.astype(space.dtype)
