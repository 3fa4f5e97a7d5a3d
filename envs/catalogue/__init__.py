"""The built-in task distributions, as data.

In reading order:

- `robots.py`: the established distributions of the meta-RL literature over robots, and small robots.
- `challenges.py`: robots in tasks of system identification, faults, change and exploration.
- `games.py`: bandits, MDPs, grid worlds, navigation and memory, with known optimal or near-optimal policies.
- `arcade.py`: the arcade games, Symbolic Alchemy and RuleGrid.

`metarl list` prints the distributions from here. The text `tests` of a distribution is the ability it tests.
"""

from metarl.envs.catalogue.arcade import ARCADE
from metarl.envs.catalogue.challenges import CHALLENGES
from metarl.envs.catalogue.games import GAMES
from metarl.envs.catalogue.robots import ROBOTS

DISTRIBUTIONS = (*ROBOTS, *CHALLENGES, *GAMES, *ARCADE)
