"""Mean total rewards printed in papers for agents on the games: Duan et al. (2016), RL²."""

from __future__ import annotations

PUBLISHED: dict[str, dict[str, float]] = {
    "Bandit5N10": {"random": 5.0, "gittins": 6.6, "thompson": 5.7, "ucb1": 6.7, "epsilon-greedy": 6.6},
    "Bandit10N10": {"random": 5.0, "gittins": 6.6, "thompson": 5.5, "ucb1": 6.7, "epsilon-greedy": 6.6},
    "Bandit50N10": {"random": 5.1, "gittins": 6.5, "thompson": 5.2, "ucb1": 6.6, "epsilon-greedy": 6.5},
    "Bandit5N100": {"random": 49.9, "gittins": 78.3, "thompson": 74.7, "ucb1": 78.0, "epsilon-greedy": 75.4},
    "Bandit10N100": {"random": 49.9, "gittins": 82.8, "thompson": 76.7, "ucb1": 82.4, "epsilon-greedy": 77.4},
    "Bandit50N100": {"random": 49.8, "gittins": 85.2, "thompson": 64.5, "ucb1": 84.3, "epsilon-greedy": 78.3},
    "Bandit5N500": {"random": 249.8, "gittins": 405.8, "thompson": 402.0, "ucb1": 405.8, "epsilon-greedy": 388.2},
    "Bandit10N500": {"random": 249.0, "gittins": 437.8, "thompson": 429.5, "ucb1": 437.1, "epsilon-greedy": 408.0},
    "Bandit50N500": {"random": 249.6, "gittins": 463.7, "thompson": 427.2, "ucb1": 457.6, "epsilon-greedy": 413.6},
    "MDPN10": {"random": 100.1, "psrl": 138.1, "opsrl": 144.1, "ucrl2": 146.6},
    "MDPN25": {"random": 250.2, "psrl": 408.8, "opsrl": 425.2, "ucrl2": 424.1},
    "MDPN50": {"random": 499.7, "psrl": 904.4, "opsrl": 930.7, "ucrl2": 918.9},
    "MDPN100": {"random": 999.4, "psrl": 1939.5, "opsrl": 1973.9, "ucrl2": 1942.1},
}
"""distribution -> agent -> mean total reward of a trial over 1000 tasks, rounded to one decimal"""
