"""Fully connected layers of M tasks at once, each task with weights of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor]  # weight [M, I, O], bias [M, O]
NARROW = 16  # columns: a product with fewer columns is several times slower on CPU than its transpose


def layer_inputs(x: Tensor, layers: Sequence[Layer], activation: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Return the input of each layer [M, N, I], and the output of the last one, which is linear."""
    inputs = [x]
    for weight, bias in layers[:-1]:
        inputs.append(activation(affine(inputs[-1], weight, bias)))
    return [*inputs, affine(inputs[-1], *layers[-1])]


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x W + b: [M, N, I] -> [M, N, O]."""
    return product(x, weight, bias.unsqueeze(1))


def product(a: Tensor, b: Tensor, plus: Tensor | None = None) -> Tensor:
    """Return a b + plus for matrices [M, ., .]."""
    if b.shape[-1] < NARROW:
        return _product(b.mT, a.mT, None if plus is None else plus.mT).mT
    return _product(a, b, plus)


def _product(a: Tensor, b: Tensor, plus: Tensor | None) -> Tensor:
    return torch.bmm(a, b) if plus is None else torch.baddbmm(plus, a, b)


class _Tanh(torch.autograd.Function):
    """tanh as 2 sigmoid(2x) - 1, in a third of torch.tanh's time on CPU; differentiable to any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = (2 * x).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return tanh_backward(grad, ctx.saved_tensors[0])


tanh: Callable[[Tensor], Tensor] = _Tanh.apply  # type: ignore[assignment]
tanh_backward = torch.ops.aten.tanh_backward  # (grad, y) -> grad (1 - y^2), in one pass
