"""Games: worlds whose simulations consist of torch operations alone, without a physics engine.

In reading order:

- `game.py`: `Game` and `GameSimulation`, the base classes, and helpers for pictures.
- `bandit.py`, `gaussian_bandit.py`: multi-armed bandits.
- `tabular_mdp.py`: random MDPs with few states.
- `grid.py`: walks on a grid; `grid_navi.py`, `dark_room.py`, `dark_key_door.py`: searches on it.
- `point_nav.py`: a search in the plane, with wind.
- `t_maze.py`, `harlow.py`: tests of memory and of learning from two choices.
- `alchemy/`: Symbolic Alchemy.
- `rule_grid/`: a room of objects with hidden rules and a hidden goal.
- `arcade/`: five arcade games on a board of 10 x 10 cells.
"""
