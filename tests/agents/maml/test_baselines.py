"""Baselines: the linear fit, compared with NumPy's least squares; and the value network."""

import numpy as np
import torch

from metarl.agents.maml.advantages import BaselineData, LinearBaseline, ValueBaseline


def random_data():
    """Return observations [2, 5, 30, 3], returns and a mask [2, 5, 30]."""
    g = torch.Generator().manual_seed(0)
    obs, mask = torch.randn(2, 5, 30, 3, generator=g), torch.ones(2, 5, 30)
    returns = torch.randn(2, 5, 30, generator=g) + obs[..., 0] * 3 + torch.arange(30) * 0.1
    mask[:, 1, 20:] = 0
    return obs, returns, mask


def test_the_linear_fit_of_each_task_equals_least_squares():
    obs, returns, mask = random_data()
    values = LinearBaseline().values(obs, returns, mask)
    for i in range(2):
        taken = mask[i].flatten().bool().numpy()
        x = LinearBaseline.features(obs)[i].double().numpy()[taken]
        y = returns[i].flatten().double().numpy()[taken]
        expected = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(values[i].flatten().numpy()[taken], expected, atol=0.05)


def test_the_linear_fit_of_constant_observations_is_finite():
    obs, returns, mask = random_data()
    assert LinearBaseline().values(torch.ones_like(obs), returns, mask).isfinite().all()


def test_the_features_of_planes_are_those_of_time():
    assert LinearBaseline.features(torch.zeros(2, 3, 7, 10, 10, 4)).shape == (2, 21, 4)


def test_the_value_network_learns_returns():
    obs, _, mask = random_data()
    returns = obs[..., 0].abs() * 4 + 7
    with torch.random.fork_rng():
        torch.manual_seed(0)
        baseline = ValueBaseline(3, 32, 1e-2, 20)
    for _ in range(20):
        baseline.learn([BaselineData(obs, returns, mask)])
    error = (baseline.values(obs, returns, mask) - returns)[mask.bool()]
    assert error.square().mean() < 0.1 * returns[mask.bool()].var()


def test_the_value_network_learns_batches_with_different_returns():
    """Returns are low before adaptation and high after it; one network predicts both."""
    obs, _, mask = random_data()
    before, after = obs.clone(), obs.clone()
    before[..., 1], after[..., 1] = -1.0, 1.0
    batches = [BaselineData(before, obs[..., 0], mask), BaselineData(after, 100 + 10 * obs[..., 0], mask)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        baseline = ValueBaseline(3, 32, 1e-2, 20)
    for _ in range(40):
        baseline.learn(batches)
    for batch in batches:
        error = (baseline.values(*batch) - batch.returns)[mask.bool()]
        assert error.square().mean() < 1.0  # the returns of both batches have a variance of 2600


def test_the_value_network_learns_from_a_single_step():
    one = torch.ones(1, 1, 1)
    baseline = ValueBaseline(3, 8, 1e-3, 1)
    baseline.learn([BaselineData(torch.ones(1, 1, 1, 3), 5 * one, one)])
    assert baseline.values(torch.ones(1, 1, 1, 3), one, one).isfinite().all()
