"""Action distributions, compared with torch.distributions."""

import torch
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Independent, Normal, kl_divergence

from metarl.agents.action_distributions import ActionNoise, Categorical, Gaussian


def _gaussians():
    g = torch.Generator().manual_seed(0)
    mean, other_mean = torch.randn(2, 5, 3, generator=g)
    a, b = torch.tensor([-0.5, 0.1, 0.3]), torch.tensor([0.2, -0.4, 0.0])
    pair = Gaussian(mean, a), Gaussian(other_mean, b)
    return *pair, *(Independent(Normal(x.mean, x.log_std.exp().expand_as(x.mean)), 1) for x in pair)


def _categoricals():
    g = torch.Generator().manual_seed(1)
    p, q = torch.randn(2, 6, 4, generator=g) * 2
    return Categorical(p), Categorical(q), TorchCategorical(logits=p), TorchCategorical(logits=q)


def test_gaussian_log_prob_sums_over_action_dimensions():
    first, second, torch_first, _ = _gaussians()
    torch.testing.assert_close(first.log_prob(second.mean), torch_first.log_prob(second.mean))


def test_gaussian_entropy_and_kl():
    first, second, torch_first, torch_second = _gaussians()
    torch.testing.assert_close(first.entropy().expand(5), torch_first.entropy())
    torch.testing.assert_close(first.kl(second), kl_divergence(torch_first, torch_second))


def test_categorical_log_prob_entropy_and_kl():
    first, second, torch_first, torch_second = _categoricals()
    action = torch.tensor([0, 1, 2, 3, 0, 1])
    torch.testing.assert_close(first.log_prob(action), torch_first.log_prob(action))
    torch.testing.assert_close(first.entropy(), torch_first.entropy())
    torch.testing.assert_close(first.kl(second), kl_divergence(torch_first, torch_second))


def test_samples_follow_the_distribution():
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0]).expand(40_000, 4)
    sample = Categorical(logits).sample(ActionNoise(torch.Generator().manual_seed(0)).exponential(logits))
    frequency = torch.bincount(sample, minlength=4) / len(sample)
    torch.testing.assert_close(frequency, logits[0].softmax(0), atol=0.01, rtol=0)
    mean, log_std = torch.tensor([1.0, -1.0]).expand(40_000, 2), torch.tensor([0.0, -1.0])
    sample = Gaussian(mean, log_std).sample(ActionNoise(torch.Generator().manual_seed(0)).normal(mean))
    torch.testing.assert_close(sample.mean(0), mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(sample.std(0), log_std.exp(), atol=0.02, rtol=0)


def test_modes_are_the_most_likely_actions():
    assert Categorical(torch.tensor([[0.0, 3.0, 1.0]])).mode().tolist() == [1]
    assert Gaussian(torch.tensor([[0.5]]), torch.zeros(1)).mode().tolist() == [[0.5]]
