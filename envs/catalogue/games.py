"""The small games, for which optimal or near-optimal policies are known."""

from __future__ import annotations

from math import pi

from metarl.tasks.samplers import Arc, Choice, Dirichlet, Integers, Normal, Permutation, Uniform, Union
from metarl.tasks.task_distribution import TaskDistribution


def _bandit(arms: int, pulls: int) -> TaskDistribution:
    return TaskDistribution(
        f"Bandit{arms}N{pulls}", world="Bandit", settings={"arms": arms},
        parameters={"probabilities": Uniform(0.0, 1.0, shape=(arms,))},
        split="iid", horizon=1, episodes=pulls,
        tests=f"balance exploration and exploitation of {arms} arms in {pulls} pulls",
    )  # fmt: skip


def _mdp(episodes: int) -> TaskDistribution:
    return TaskDistribution(
        f"MDPN{episodes}", world="TabularMDP",
        parameters={"rewards": Normal(1.0, 1.0, shape=(10, 5)), "transitions": Dirichlet(1.0, shape=(10, 5, 10))},
        split="iid", horizon=10, episodes=episodes,
        tests=f"learn an unknown MDP of 10 states and 5 actions in {episodes} short episodes",
    )  # fmt: skip


BANDITS = (
    *(_bandit(arms, pulls) for pulls in (10, 100, 500) for arms in (5, 10, 50)),
    TaskDistribution(
        "GaussianBandit5N100", world="GaussianBandit", settings={"arms": 5},
        parameters={"means": Normal(0.0, 1.0, shape=(5,))},
        split="iid", horizon=1, episodes=100,
        tests="compare arms with noisy rewards",
    ),
    TaskDistribution(
        "LinkedBandit2N100", world="Bandit", settings={"arms": 2, "linked": True},
        parameters={"probability": Uniform(0.0, 1.0)},
        split="iid", horizon=1, episodes=100,
        tests="use the reward of one arm to infer that of the other",
    ),
)  # fmt: skip

MDPS = tuple(_mdp(episodes) for episodes in (10, 25, 50, 100))

GRIDS = (
    TaskDistribution(
        "GridNavi", world="GridNavi",
        # All cells but the start and its three neighbours: 21, equally likely.
        parameters={"goal": Union(Integers((2, 0), (4, 4)), Integers((0, 2), (1, 4)), weights=(15, 6))},
        ood={"goal": Choice(((0, 1), (1, 0), (1, 1)))},
        split="iid", horizon=15, episodes=4,
        tests="search each cell at most once, then return by the shortest path",
    ),
    TaskDistribution(
        "GridNavi7", world="GridNavi", settings={"size": 7},
        parameters={"goal": Union(Integers((2, 0), (6, 6)), Integers((0, 2), (1, 6)), weights=(35, 10))},
        ood={"goal": Choice(((0, 1), (1, 0), (1, 1)))},
        split="iid", horizon=28, episodes=4,
        tests="search twice as many cells as in GridNavi",
    ),
    TaskDistribution(
        "DarkRoom", world="DarkRoom",
        parameters={"goal": Integers(0, 8, shape=(2,))},
        split="iid", horizon=20, episodes=10,
        tests="search a room over several episodes, and remember the visited cells",
    ),
    TaskDistribution(
        "DarkRoomHard", world="DarkRoom", settings={"size": 17, "once": True},
        parameters={"goal": Integers(0, 16, shape=(2,))},
        split="iid", horizon=20, episodes=20,
        tests="search 289 cells in episodes of 20 steps",
    ),
    TaskDistribution(
        "DarkKeyDoor", world="DarkKeyDoor",
        parameters={"key": Integers(0, 8, shape=(2,)), "door": Integers(0, 8, shape=(2,))},
        horizon=50, episodes=10,
        tests="search for two cells in order, from random starts",
    ),
    TaskDistribution(
        "DarkKeyDoorPermuted", world="DarkKeyDoor",
        parameters={
            "key": Integers(0, 8, shape=(2,)), "door": Integers(0, 8, shape=(2,)), "actions": Permutation(5),
        },
        horizon=50, episodes=10,
        tests="identify the effect of each action, then search",
    ),
)  # fmt: skip

POINTS = (
    TaskDistribution(
        "PointNav", world="PointNav",
        parameters={"goal": Uniform(-1.0, 1.0, shape=(2,))},
        ood={"goal": Union(Uniform((-1.5, 1.001), (1.5, 1.5)), Uniform((-1.5, -1.5), (1.5, -1.001)))},
        horizon=20, episodes=2,
        tests="infer a position from distances",
    ),
    TaskDistribution(
        "PointNavSparse", world="PointNav", settings={"radius": 0.2},
        parameters={"goal": Arc(1.0, 0.0, pi)},
        ood={"goal": Union(Arc(1.0, -pi / 6, 0.0), Arc(1.0, pi, 7 * pi / 6))},
        split="iid", horizon=60, episodes=3,
        tests="search along an arc for a reward, then return to it directly",
    ),
    TaskDistribution(
        "PointNavWind", world="PointNav", settings={"radius": 0.03, "reward": "inside"},
        parameters={"wind": Uniform(-0.08, 0.08, shape=(2,))},
        ood={"wind": Uniform(-0.095, 0.095, shape=(2,))},
        horizon=75, episodes=2,
        tests="infer a constant wind from displacements, and compensate for it",
    ),
)  # fmt: skip

MEMORIES = (
    TaskDistribution(
        "TMazePassive", world="TMaze",
        parameters={"length": Integers(10, 100)},
        ood={"length": Integers(101, 200)},
        horizon=201, episodes=1,
        tests="remember the first observation for up to 100 steps",
    ),
    TaskDistribution(
        "TMazeActive", world="TMaze", settings={"active": True},
        parameters={"length": Integers(10, 100)},
        ood={"length": Integers(101, 200)},
        horizon=203, episodes=1,
        tests="fetch a cue despite the penalty for delay, and remember it",
    ),
    TaskDistribution(
        "Harlow", world="Harlow",
        parameters={"reliability": Uniform(0.8, 1.0)},
        ood={"reliability": Uniform(0.6, 0.8)},
        horizon=10, episodes=1,
        tests="learn from the first choices which of two new objects is better",
    ),
    TaskDistribution(
        "HarlowReversal", world="Harlow",
        parameters={"reversal": Integers(6, 15), "reliability": Uniform(0.8, 1.0)},
        ood={"reversal": Union(Integers(2, 5), Integers(16, 18))},
        horizon=20, episodes=1,
        tests="detect that the better object has changed, and switch to it",
    ),
)  # fmt: skip

GAMES: tuple[TaskDistribution, ...] = (*BANDITS, *MDPS, *GRIDS, *POINTS, *MEMORIES)
