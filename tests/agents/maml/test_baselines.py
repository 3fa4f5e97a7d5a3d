"""The linear fit against NumPy's least squares; the network learns what a line cannot."""

import numpy as np
import torch

from metarl.agents.maml.baselines import BaselineData, LinearBaseline, ValueBaseline


def data():
    g = torch.Generator().manual_seed(0)
    obs, mask = torch.randn(2, 5, 30, 3, generator=g), torch.ones(2, 5, 30)
    returns = torch.randn(2, 5, 30, generator=g) + obs[..., 0] * 3 + torch.arange(30) * 0.1
    mask[:, 1, 20:] = 0
    return obs, returns, mask


def test_linear_fit_of_each_task_equals_least_squares():
    obs, returns, mask = data()
    ours = LinearBaseline().values(obs, returns, mask)
    for i in range(2):
        mine = mask[i].flatten().bool().numpy()
        x = LinearBaseline.features(obs)[i].double().numpy()[mine]
        y = returns[i].flatten().double().numpy()[mine]
        theirs = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(ours[i].flatten().numpy()[mine], theirs, atol=0.05)


def test_a_constant_observation_is_no_trouble():
    obs, returns, mask = data()
    assert LinearBaseline().values(torch.ones_like(obs), returns, mask).isfinite().all()


def test_planes_are_left_out_of_the_features():
    assert LinearBaseline.features(torch.zeros(2, 3, 7, 10, 10, 4)).shape == (2, 21, 4)


def test_the_network_learns_returns():
    obs, _, mask = data()
    returns = obs[..., 0].abs() * 4 + 7
    with torch.random.fork_rng():
        torch.manual_seed(0)
        baseline = ValueBaseline(3, 32, 1e-2, 20)
    for _ in range(20):
        baseline.learn([BaselineData(obs, returns, mask)])
    error = (baseline.values(obs, returns, mask) - returns)[mask.bool()]
    assert error.square().mean() < 0.1 * returns[mask.bool()].var()


def test_the_network_serves_phases_that_earn_differently():
    """Little is earned before adaptation and much after it: one network must tell both apart, in one unit."""
    obs, _, mask = data()
    before, after = obs.clone(), obs.clone()
    before[..., 1], after[..., 1] = -1.0, 1.0
    phases = [BaselineData(before, obs[..., 0], mask), BaselineData(after, 100 + 10 * obs[..., 0], mask)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        baseline = ValueBaseline(3, 32, 1e-2, 20)
    for _ in range(40):
        baseline.learn(phases)
    for phase in phases:
        error = (baseline.values(*phase) - phase.returns)[mask.bool()]
        assert error.square().mean() < 1.0  # returns of both together have a variance of 2600


def test_a_single_step_is_enough_for_the_network():
    one = torch.ones(1, 1, 1)
    baseline = ValueBaseline(3, 8, 1e-3, 1)
    baseline.learn([BaselineData(torch.ones(1, 1, 1, 3), 5 * one, one)])
    assert baseline.values(torch.ones(1, 1, 1, 3), one, one).isfinite().all()
