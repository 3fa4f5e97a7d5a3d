"""The larger games: the arcade (10x10 boards, seen as planes unless the name says pixels), Alchemy and RuleGrid."""

from __future__ import annotations

from metarl.envs.games.rule_grid.rulesets import Rulesets
from metarl.tasks.samplers import Choice, Fixed, Integers, Permutation, Uniform, Union
from metarl.tasks.task_distribution import TaskDistribution

TWO_SIGNS = Choice(((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)))  # something is worth having
TWO_GOALS = Choice(((1.0, -1.0), (-1.0, 1.0)))
PIXELS = {"observation": "pixels"}

CATCH = {"controls": Permutation(3), "value": TWO_SIGNS, "speed": Integers(4, 8), "reach": Integers(0, 2)}
BREAKOUT_VALUES = Choice(((1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, 1.0, -1.0), (1.0, -1.0, -1.0)))
BREAKOUT = {"controls": Permutation(3), "value": BREAKOUT_VALUES, "speed": Integers(4, 7), "reach": Integers(1, 2)}

# The chemistry of Alchemy: 8 x 4 ways to look, 48 of potions to act, 109 graphs by number of bottlenecks
PERCEPTION = {"stone_map": Integers(0, 7), "rotation": Integers(0, 3), "potion_map": Integers(0, 47)}
GRAPHS = Union(Fixed(0), Integers(1, 12), Integers(13, 60), Integers(61, 108))

ARCADE = (
    TaskDistribution(
        "Catch", world="Catch", parameters=CATCH, ood={"speed": Integers(9, 12)},
        horizon=80, episodes=3,
        tests="find out which key does what and what is worth catching, from rewards alone",
    ),
    TaskDistribution(
        "CatchGravity", world="Catch",
        parameters={
            "gravity": Integers(0, 3), "wind": Integers(-1, 1), "speed": Integers(1, 6), "reach": Integers(0, 1),
        },
        ood={"gravity": Integers(4, 6)},
        horizon=80, episodes=3,
        tests="predict where a thing lands, having seen others fall",
    ),
    TaskDistribution(
        "CatchPixels", world="Catch", settings=PIXELS, parameters=CATCH, ood={"speed": Integers(9, 12)},
        horizon=80, episodes=3,
        tests="Catch from the screen: the same tasks, to be seen first",
    ),
    TaskDistribution(
        "Breakout", world="Breakout", parameters=BREAKOUT, ood={"speed": Choice((8,))},
        horizon=150, episodes=3,
        tests="keep a ball in play with unknown keys and paddle, and learn which bricks to leave alone",
    ),
    TaskDistribution(
        "BreakoutPixels", world="Breakout", settings=PIXELS, parameters=BREAKOUT, ood={"speed": Choice((8,))},
        horizon=150, episodes=3,
        tests="Breakout from the screen: the same tasks, to be seen first",
    ),
    TaskDistribution(
        "Pong", world="Pong",
        parameters={
            "controls": Permutation(3), "speed": Integers(4, 7), "opponent": Integers(1, 4), "reach": Integers(1, 2),
        },
        ood={"opponent": Integers(5, 6)},
        horizon=200, episodes=3,
        tests="find the keys, the paddle's size and where this opponent is weak",
    ),
    TaskDistribution(
        "Freeway", world="Freeway",
        parameters={"controls": Permutation(3), "speed": Integers(-5, 5, (8,)), "value": TWO_GOALS},
        ood={"speed": Integers(-8, -6, (8,)) | Integers(6, 8, (8,))},
        horizon=100, episodes=3,
        tests="learn the traffic of eight lanes, and whether to arrive or to be hit",
    ),
    TaskDistribution(
        "Invaders", world="Invaders",
        parameters={
            "controls": Permutation(4), "march": Integers(1, 4), "fall": Integers(3, 8), "bombs": Uniform(0.05, 0.25),
            "value": TWO_SIGNS,
        },
        ood={"bombs": Uniform(0.25, 0.4), "march": Integers(5, 6)},
        horizon=150, episodes=3,
        tests="find the keys before the bombs do, and which aliens to spare",
    ),
    TaskDistribution(
        "Alchemy", world="SymbolicAlchemy", parameters={**PERCEPTION, "graph": GRAPHS},
        horizon=20, episodes=10,
        tests="experiment with potions, infer a causal graph, and plan with what is known",
    ),
    TaskDistribution(
        "AlchemyBottlenecks", world="SymbolicAlchemy",
        parameters={**PERCEPTION, "graph": Union(*GRAPHS.samplers[:3])}, ood={"graph": GRAPHS.samplers[3]},
        horizon=20, episodes=10,
        tests="Alchemy with up to two bottlenecks; ood: three",
    ),
    TaskDistribution(
        "RuleGrid0", world="RuleGrid", parameters={"ruleset": Rulesets(0)}, ood={"ruleset": Rulesets(0, held_out=True)},
        horizon=60, episodes=5,
        tests="find out what to do with which thing",
    ),
    TaskDistribution(
        "RuleGrid1", world="RuleGrid", parameters={"ruleset": Rulesets(1)}, ood={"ruleset": Rulesets(1, held_out=True)},
        horizon=80, episodes=8,
        tests="find out which thing turns into which, and what to do with it; ood: pairs of rule and goal never met",
    ),
    TaskDistribution(
        "RuleGrid1Near", world="RuleGrid", settings={"view": "near"},
        parameters={"ruleset": Rulesets(1)}, ood={"ruleset": Rulesets(1, held_out=True)},
        horizon=80, episodes=8,
        tests="RuleGrid1 seeing two cells far",
    ),
    TaskDistribution(
        "RuleGrid2", world="RuleGrid", parameters={"ruleset": Rulesets(2)}, ood={"ruleset": Rulesets(2, held_out=True)},
        horizon=120, episodes=10,
        tests="find a chain of two rules, the second of which starts from what the first makes",
    ),
)  # fmt: skip
