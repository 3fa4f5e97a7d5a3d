"""gymnax's games (Lange 2022): the same kinds of games as JAX programs, whole episodes in one compiled loop.

gymnax asks for an older Gymnasium than this project does, so it is in no extra: install it into a folder of its own
with `pip install --target`, take out what is installed here already, and name the folder in PYTHONPATH. Where it is
not installed it is left out, and named.
"""

from __future__ import annotations

import importlib
from typing import Any

from metarl.benchmarks.dev_speed.timing import Side

GAMES = ("FourRooms-misc", "BernoulliBandit-misc", "Breakout-MinAtar", "SpaceInvaders-MinAtar")
STEPS = 25  # of each environment in one call


class GymnaxGame(Side):
    """B environments under vmap, random actions, observations summed so that none is optimised away."""

    def __init__(self, name: str, num_envs: int) -> None:
        import gymnax  # pyright: ignore[reportMissingImports]
        import jax  # pyright: ignore[reportMissingImports]

        env, params = gymnax.make(name)
        reset, step = jax.vmap(env.reset, (0, None)), jax.vmap(env.step, (0, 0, 0, None))
        draw = jax.vmap(env.action_space(params).sample)

        def advance(carry: Any, _: None) -> tuple[Any, None]:
            key, state, seen = carry
            key, act, move = jax.random.split(key, 3)
            actions = draw(jax.random.split(act, num_envs))
            obs, state, reward = step(jax.random.split(move, num_envs), state, actions, params)[:3]
            return (key, state, seen + obs.sum() + reward.sum()), None

        self.num_envs = num_envs
        self._run = jax.jit(lambda carry: jax.lax.scan(advance, carry, None, STEPS)[0])
        key = jax.random.PRNGKey(0)
        state = reset(jax.random.split(key, num_envs), params)[1]
        self._carry = (key, state, 0.0)

    def work(self) -> int:
        key, state, seen = self._run(self._carry)
        seen.block_until_ready()
        self._carry = (key, state, 0.0)
        return STEPS * self.num_envs


def missing() -> str:
    """Why gymnax cannot be imported; nothing if it can."""
    try:
        importlib.import_module("gymnax")
    except ImportError as error:
        return str(error)
    return ""


def gymnax_games(num_envs: int) -> dict[str, Side]:
    """The games by name; none where gymnax is not installed."""
    return {} if missing() else {f"gymnax {name}": GymnaxGame(name, num_envs) for name in GAMES}
