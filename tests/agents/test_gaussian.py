"""The Gaussian against torch.distributions."""

import torch
from torch.distributions import Independent, Normal, kl_divergence

from metarl.agents import gaussian


def _pair():
    g = torch.Generator().manual_seed(0)
    mean, other = torch.randn(2, 5, 3, generator=g)
    return mean, other, torch.tensor([-0.5, 0.1, 0.3]), torch.tensor([0.2, -0.4, 0.0])


def test_log_prob_sums_over_action_dimensions():
    mean, action, log_std, _ = _pair()
    expected = Independent(Normal(mean, log_std.exp()), 1).log_prob(action)
    torch.testing.assert_close(gaussian.log_prob(action, mean, log_std), expected)


def test_entropy():
    *_, log_std, _ = _pair()
    torch.testing.assert_close(
        gaussian.entropy(log_std), Independent(Normal(torch.zeros(3), log_std.exp()), 1).entropy()
    )


def test_kl():
    mean, other, a, b = _pair()
    expected = kl_divergence(Independent(Normal(mean, a.exp()), 1), Independent(Normal(other, b.exp()), 1))
    torch.testing.assert_close(gaussian.kl(mean, a, other, b), expected)
