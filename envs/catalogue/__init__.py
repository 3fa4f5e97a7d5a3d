"""Every built-in distribution, as data. `metarl list` and the README's table are printed from here."""

from metarl.envs.catalogue.arcade import ARCADE
from metarl.envs.catalogue.challenges import CHALLENGES
from metarl.envs.catalogue.games import GAMES
from metarl.envs.catalogue.robots import ROBOTS

DISTRIBUTIONS = (*ROBOTS, *CHALLENGES, *GAMES, *ARCADE)
