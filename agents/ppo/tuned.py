"""Tuned settings by distribution; docs/results has the commands and learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALL = {"hidden_size": 64, "head_size": 64, "entropy_coef": 0.01, "learning_rate": 2e-3}

# An associative memory trained to predict rewards, for worlds where observation and action determine the reward.
ASSOCIATIVE = {
    **SMALL, "memory": "associative", "reward_coef": 0.5, "num_envs": 128, "gamma": 0.99, "gae_lambda": 0.9,
    "entropy_coef": 0.02,
}  # fmt: skip

# A GRU trained to predict rewards, with a long exploration, for worlds with a hidden goal.
SEARCH = {
    **SMALL, "num_envs": 64, "gamma": 0.99, "gae_lambda": 0.95, "entropy_coef": 0.03, "learning_rate": 1.5e-3,
    "reward_coef": 0.25, "anneal_steps": 24_000_000,
}  # fmt: skip

LONG_BANDIT = {**SMALL, "num_envs": 128, "gamma": 0.99, "gae_lambda": 0.95, "entropy_coef": 0.02}

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDir": {"gamma": 0.99, "gae_lambda": 0.95},
    "GridNavi": {**SMALL, "num_envs": 64, "gamma": 0.95, "gae_lambda": 0.95},
    "Bandit5N10": {**SMALL, "num_envs": 128, "gamma": 0.99, "gae_lambda": 0.9},
    "Bandit5N100": {**LONG_BANDIT, "anneal_steps": 16_000_000},
    "Bandit10N100": {**LONG_BANDIT, "anneal_steps": 7_000_000},
    "TMazePassive": {
        "num_envs": 128, "hidden_size": 32, "head_size": 32, "gamma": 1.0, "gae_lambda": 0.97, "entropy_coef": 0.01,
        "learning_rate": 2e-3, "anneal_steps": 2_000_000,
    },
    "DarkKeyDoor": {
        **SMALL, "num_envs": 32, "gamma": 0.99, "gae_lambda": 0.95, "entropy_coef": 0.02, "learning_rate": 1.5e-3,
        "anneal_steps": 4_000_000,
    },
    "DarkRoom": {"num_envs": 128, "gamma": 0.99, "gae_lambda": 0.95, "entropy_coef": 0.01},
    "PointGoalSparse": {"num_envs": 128, "gamma": 0.99, "gae_lambda": 0.95},
}  # fmt: skip

# For agents with memory alone: RL² and rl2-wiped.
TUNED_MEMORY: Mapping[str, Mapping[str, Any]] = {
    **TUNED,
    "Bandit5N10": {
        **SMALL, "num_envs": 256, "minibatches": 2, "gamma": 0.99, "gae_lambda": 0.9, "learning_rate": 3e-3,
    },
    "MDPN10": {**ASSOCIATIVE, "anneal_steps": 6_000_000},
    "MDPN25": {
        **ASSOCIATIVE, "num_envs": 64, "hidden_size": 96, "head_size": 128, "gamma": 0.997, "gae_lambda": 0.95,
        "anneal_steps": 30_000_000,
    },
    "Bandit10N100": {
        **ASSOCIATIVE, "num_envs": 256, "head_size": 128, "gamma": 0.999, "gae_lambda": 0.97, "entropy_coef": 0.03,
        "anneal_steps": 36_000_000,
    },
    "DarkKeyDoor": SEARCH,
    "DarkRoom": SEARCH,
}  # fmt: skip
