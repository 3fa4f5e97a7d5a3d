"""Running means and variances."""

import torch

from metarl.agents.networks.normalization import RunningNorm


def test_batches_merge_into_the_statistics_of_all_samples():
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2
    norm = RunningNorm((3,))
    for part in x.split([1, 99, 600, 300]):
        norm.update(part)
    torch.testing.assert_close(norm.mean, x.double().mean(0))
    torch.testing.assert_close(norm.var, x.double().var(0, unbiased=False))
    torch.testing.assert_close(
        norm(x), ((x - x.mean(0)) / x.std(0, unbiased=False)).clamp(-10, 10), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(norm.unscale(norm.centre(x)), x, rtol=1e-4, atol=1e-4)


def test_with_a_limit_statistics_follow_a_drift():
    norm = RunningNorm((), limit=100.0)
    for _ in range(50):
        norm.update(torch.zeros(100))
    for _ in range(20):
        norm.update(torch.full((100,), 10.0))
    assert norm.mean > 9.99


def test_a_state_dict_restores_outputs_bit_for_bit():
    norm, other = RunningNorm((2,)), RunningNorm((2,))
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    norm.update(x)
    other.load_state_dict(norm.state_dict())
    assert torch.equal(norm(x), other(x))
    norm.update(x + 1)
    other.update(x + 1)
    assert torch.equal(norm(x), other(x))
