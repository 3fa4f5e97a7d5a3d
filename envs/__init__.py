"""Environments of the suite: simulated robots, games, and the built-in task distributions over them.

In reading order:

- `physics/`: batched MuJoCo simulation on CPU and GPU behind one interface.
- `robots/`: robots as worlds, each with its MJCF, observation parts, reward terms and start state.
- `goals/`: goals of robots, each with its parameters and reward terms.
- `perturbations/`: parameters that change the model of any robot, or its observations and actions.
- `games/`: bandits, grid worlds, arcade games and other worlds in torch operations alone.
- `adapters/`: Atari and MiniGrid environments of other packages as worlds.
- `catalogue/`: the built-in task distributions, as data.

Worlds, goals and perturbations are registered by the entry points of pyproject.toml.
"""
