"""Names of episodes in plots of adaptation do not overlap."""

from itertools import pairwise

import pytest

from metarl.training.plots import MAX_NAMES, _is_named


@pytest.mark.parametrize("episodes", [1, 2, 5, 6, 7, 11, 21, 100])
def test_at_most_max_names_episodes_are_named_and_the_last_is_one_of_them(episodes):
    named = [k for k in range(episodes) if _is_named(k, episodes)]
    assert named[0] == 0
    assert named[-1] == episodes - 1
    distance = min((b - a for a, b in pairwise(named)), default=episodes)
    assert distance >= episodes / MAX_NAMES
    if episodes <= MAX_NAMES:
        assert named == list(range(episodes))
