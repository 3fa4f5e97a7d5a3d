"""Every built-in distribution, as data: robots and games. `metarl list` and the README's table are printed from here."""

from metarl.envs.catalogue.games import GAMES
from metarl.envs.catalogue.robots import ROBOTS

DISTRIBUTIONS = (*ROBOTS, *GAMES)
