"""Names of episodes in pictures of adaptation do not run into one another."""

from itertools import pairwise

import pytest

from metarl.training.plots import NAMED, _is_named


@pytest.mark.parametrize("episodes", [1, 2, 5, 6, 7, 11, 21, 100])
def test_few_episodes_are_named_and_the_last_is_one_of_them(episodes):
    named = [k for k in range(episodes) if _is_named(k, episodes)]
    assert named[0] == 0
    assert named[-1] == episodes - 1
    apart = min((b - a for a, b in pairwise(named)), default=episodes)
    assert apart >= episodes / NAMED
    if episodes <= NAMED:
        assert named == list(range(episodes))
