"""Worlds, environments, trials and rollouts: the path that every step takes, without any agent or command.

In reading order:

- `world.py`: `World`, what a robot or a game offers to task distributions; registered under a name.
- `simulation.py`: `Simulation`, B copies of a world that are stepped together.
- `environment.py`: `Environment`, episodes of a simulation with tasks, clocks and random streams.
- `trials.py`: `Trials`, K episodes in slots of H steps in all environments at the same time.
- `agent.py`: `Agent`, `Learner` and `AgentType`, which agents implement.
- `rollout.py`: `rollout`, the one loop that steps environments.
- `returns.py`: returns, advantages and masked statistics, as pure functions.
- `rng.py`: counter-based random numbers.
"""
