"""The games of gymnax (Lange 2022): JAX programs whose steps are compiled into one loop.

gymnax requires an older Gymnasium than this package, so no extra installs it. Install it into a separate folder with
`pip install --target`, delete from the folder what is already installed here, and add the folder to PYTHONPATH. Where
gymnax cannot be imported, it is left out and listed.
"""

from __future__ import annotations

import importlib
from typing import Any

from metarl.benchmarks.dev_speed.side import Side

GAMES = ("FourRooms-misc", "BernoulliBandit-misc", "Breakout-MinAtar", "SpaceInvaders-MinAtar")
STEPS = 25  # env steps of each environment per call


class GymnaxGame(Side):
    """B environments under vmap with random actions; outputs are summed, so that the compiler removes none of them."""

    def __init__(self, name: str, num_envs: int) -> None:
        import gymnax  # pyright: ignore[reportMissingImports]
        import jax  # pyright: ignore[reportMissingImports]

        env, params = gymnax.make(name)
        reset, step = jax.vmap(env.reset, (0, None)), jax.vmap(env.step, (0, 0, 0, None))
        draw = jax.vmap(env.action_space(params).sample)

        def advance(carry: Any, _: None) -> tuple[Any, None]:
            key, state, total = carry
            key, action_key, step_key = jax.random.split(key, 3)
            actions = draw(jax.random.split(action_key, num_envs))
            obs, state, reward = step(jax.random.split(step_key, num_envs), state, actions, params)[:3]
            return (key, state, total + obs.sum() + reward.sum()), None

        self.num_envs = num_envs
        self._run = jax.jit(lambda carry: jax.lax.scan(advance, carry, None, STEPS)[0])
        key = jax.random.PRNGKey(0)
        state = reset(jax.random.split(key, num_envs), params)[1]
        self._carry = (key, state, 0.0)

    def work(self) -> int:
        key, state, total = self._run(self._carry)
        total.block_until_ready()
        self._carry = (key, state, 0.0)
        return STEPS * self.num_envs


def missing() -> str:
    """Return the reason why gymnax cannot be imported, or an empty string."""
    try:
        importlib.import_module("gymnax")
    except ImportError as error:
        return str(error)
    return ""


def gymnax_games(num_envs: int) -> dict[str, Side]:
    """Return gymnax's games by name; none where gymnax is not installed."""
    return {} if missing() else {f"gymnax {name}": GymnaxGame(name, num_envs) for name in GAMES}
