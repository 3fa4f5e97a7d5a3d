"""What is timed as a meta-gradient is one: three ways to compute it agree; shares of a meta-iteration add up."""

import pytest
import torch

from metarl import get
from metarl.benchmarks.speed.meta import PARTS, MetaGradient, MetaIteration


def test_three_ways_agree():
    sides = {way: MetaGradient(way, tasks=3, rows=5, hidden_size=4) for way in ("batched", "loop", "vmap")}
    gradients = {}
    for way, side in sides.items():
        weights = side.weights()
        g = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in weights:
                value = torch.randn(weight.shape if way == "batched" else weight.t().shape, generator=g) * 0.5
                weight.copy_(value if way == "batched" else value.t())
        assert side.work() == 2 * 3 * 5
        gradients[way] = [w.grad if way == "batched" else w.grad.t() for w in weights]
    for way in ("loop", "vmap"):
        torch.testing.assert_close(gradients[way], gradients["batched"])


def test_shares_of_a_meta_iteration():
    side = MetaIteration(get("HalfCheetahDirH100"), "promp", num_envs=4, meta_batch_size=2, hidden_size=4)
    side.warm_up()
    assert side.work() == 2 * 4 * 100
    assert set(side.shares) == set(PARTS)
    assert sum(side.shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in side.shares.values())
    side.close()
