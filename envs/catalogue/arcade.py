"""The larger games: arcade games (10 x 10 boards, as planes or pixels), Symbolic Alchemy and RuleGrid."""

from __future__ import annotations

from metarl.envs.games.rule_grid.rulesets import Rulesets
from metarl.tasks.samplers import Choice, Fixed, Integers, Permutation, Uniform, Union
from metarl.tasks.task_distribution import TaskDistribution

TWO_SIGNS = Choice(((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0)))  # at least one value is positive
TWO_GOALS = Choice(((1.0, -1.0), (-1.0, 1.0)))
PIXELS = {"observation": "pixels"}

CATCH = {"controls": Permutation(3), "value": TWO_SIGNS, "speed": Integers(4, 8), "reach": Integers(0, 2)}
BREAKOUT_VALUES = Choice(((1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (-1.0, 1.0, 1.0), (1.0, 1.0, -1.0), (1.0, -1.0, -1.0)))
BREAKOUT = {"controls": Permutation(3), "value": BREAKOUT_VALUES, "speed": Integers(4, 7), "reach": Integers(1, 2)}

# The chemistry of Alchemy: 8 x 4 appearances, 48 potion maps, and 109 graphs by their number of bottlenecks
PERCEPTION = {"stone_map": Integers(0, 7), "rotation": Integers(0, 3), "potion_map": Integers(0, 47)}
GRAPHS = Union(Fixed(0), Integers(1, 12), Integers(13, 60), Integers(61, 108))

ARCADE = (
    TaskDistribution(
        "Catch", world="Catch", parameters=CATCH, ood={"speed": Integers(9, 12)},
        horizon=80, episodes=3,
        tests="identify the actions' effects and the objects' values from rewards alone",
    ),
    TaskDistribution(
        "CatchGravity", world="Catch",
        parameters={
            "gravity": Integers(0, 3), "wind": Integers(-1, 1), "speed": Integers(1, 6), "reach": Integers(0, 1),
        },
        ood={"gravity": Integers(4, 6)},
        horizon=80, episodes=3,
        tests="predict the landing column of a fruit from earlier falls",
    ),
    TaskDistribution(
        "CatchPixels", world="Catch", settings=PIXELS, parameters=CATCH, ood={"speed": Integers(9, 12)},
        horizon=80, episodes=3,
        tests="solve the tasks of Catch from pixels",
    ),
    TaskDistribution(
        "Breakout", world="Breakout", parameters=BREAKOUT, ood={"speed": Choice((8,))},
        horizon=150, episodes=3,
        tests="keep a ball in play with unknown actions and paddle, and avoid bricks of negative value",
    ),
    TaskDistribution(
        "BreakoutPixels", world="Breakout", settings=PIXELS, parameters=BREAKOUT, ood={"speed": Choice((8,))},
        horizon=150, episodes=3,
        tests="solve the tasks of Breakout from pixels",
    ),
    TaskDistribution(
        "Pong", world="Pong",
        parameters={
            "controls": Permutation(3), "speed": Integers(4, 7), "opponent": Integers(1, 4), "reach": Integers(1, 2),
        },
        ood={"opponent": Integers(5, 6)},
        horizon=200, episodes=3,
        tests="identify the actions' effects, the paddles' size and the opponent's speed",
    ),
    TaskDistribution(
        "Freeway", world="Freeway",
        parameters={"controls": Permutation(3), "speed": Integers(-5, 5, (8,)), "value": TWO_GOALS},
        ood={"speed": Integers(-8, -6, (8,)) | Integers(6, 8, (8,))},
        horizon=100, episodes=3,
        tests="learn the traffic of eight lanes, and whether to seek or avoid cars",
    ),
    TaskDistribution(
        "Invaders", world="Invaders",
        parameters={
            "controls": Permutation(4), "march": Integers(1, 4), "fall": Integers(3, 8), "bombs": Uniform(0.05, 0.25),
            "value": TWO_SIGNS,
        },
        ood={"bombs": Uniform(0.25, 0.4), "march": Integers(5, 6)},
        horizon=150, episodes=3,
        tests="identify the actions' effects under fire, and the aliens of negative value",
    ),
    TaskDistribution(
        "Alchemy", world="SymbolicAlchemy", parameters={**PERCEPTION, "graph": GRAPHS},
        horizon=20, episodes=10,
        tests="experiment with potions, infer a causal graph, and plan with it",
    ),
    TaskDistribution(
        "AlchemyBottlenecks", world="SymbolicAlchemy",
        parameters={**PERCEPTION, "graph": Union(*GRAPHS.samplers[:3])}, ood={"graph": GRAPHS.samplers[3]},
        horizon=20, episodes=10,
        tests="solve Alchemy with up to two bottlenecks; ood: three",
    ),
    TaskDistribution(
        "RuleGrid0", world="RuleGrid", parameters={"ruleset": Rulesets(0)}, ood={"ruleset": Rulesets(0, held_out=True)},
        horizon=60, episodes=5,
        tests="identify the goal and its object",
    ),
    TaskDistribution(
        "RuleGrid1", world="RuleGrid", parameters={"ruleset": Rulesets(1)}, ood={"ruleset": Rulesets(1, held_out=True)},
        horizon=80, episodes=8,
        tests="identify a production rule and the goal; ood: held-out pairs of rule and goal",
    ),
    TaskDistribution(
        "RuleGrid1Near", world="RuleGrid", settings={"view": "near"},
        parameters={"ruleset": Rulesets(1)}, ood={"ruleset": Rulesets(1, held_out=True)},
        horizon=80, episodes=8,
        tests="solve RuleGrid1 with a view of two cells in each direction",
    ),
    TaskDistribution(
        "RuleGrid2", world="RuleGrid", parameters={"ruleset": Rulesets(2)}, ood={"ruleset": Rulesets(2, held_out=True)},
        horizon=120, episodes=10,
        tests="identify a chain of two rules, in which the second uses the product of the first",
    ),
)  # fmt: skip
