"""Our tanh is torch's, with both derivatives, also under vmap."""

from __future__ import annotations

import torch
from torch.func import grad, vmap

from metarl.agents.tanh import Tanh

X = torch.linspace(-12, 12, 997)


def test_values_are_torchs() -> None:
    torch.testing.assert_close(Tanh()(X), X.tanh(), rtol=0, atol=2e-7)
    torch.testing.assert_close(Tanh()(X.double()), X.double().tanh(), rtol=1e-12, atol=1e-15)


def test_derivatives_are_right() -> None:
    x = torch.randn(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Tanh(), x)
    assert torch.autograd.gradgradcheck(Tanh(), x)


def test_works_under_vmap() -> None:
    slopes = vmap(grad(lambda x: Tanh()(x)))(X)
    torch.testing.assert_close(slopes, 1 - X.tanh().square(), rtol=0, atol=1e-6)
