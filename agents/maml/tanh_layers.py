r"""Tanh layers whose first and second derivatives are written out.

The outer loop differentiates the inner gradient $J^\top u$ along a direction $v$ in the weights. With
$h_l = \tanh z_l$, $z_l = h_{l-1} W_l + b_l$, $\delta_l$ the derivative of $u^\top z_L$ by $z_l$, and $\dot x$ for the
derivative of $x$ along $v = (\dot W, \dot b)$, that is (Pearlmutter 1994)

    forwards   $\dot z_l = \dot h_{l-1} W_l + h_{l-1} \dot W_l + \dot b_l$,  $\dot h_l = (1 - h_l^2)\,\dot z_l$
    backwards  $\dot\delta_l = (1 - h_l^2)(\dot\delta_{l+1} W_{l+1}^\top + \delta_{l+1} \dot W_{l+1}^\top)
               - 2\,h_l \delta_l \dot z_l$
    products   $h_{l-1}^\top \dot\delta_l + \dot h_{l-1}^\top \delta_l$ for $W_l$, the sum of $\dot\delta_l$ for $b_l$

and $\dot z_L$ for $u$. The outputs' own gradient by some $u'$ goes backwards through the same products, so that both
are one pass that starts from $\dot\delta_L = u'$. Autograd takes more passes over the activations, each through main
memory. The four passes are in tanh_passes.py: `forward` (outputs), `vjp` ($J^\top u$), `jvp` (forwards, above) and
`second_backward` (backwards, above).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metarl.agents.maml import tanh_passes
from metarl.agents.maml.layers import Layer, tanh
from metarl.agents.maml.layers import forward as layers_forward


def tanh_layers(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Outputs [M, N, P] of constants x [M, N, I]; differentiable by the layers as often as wanted, twice fast."""
    return _Outputs.apply(x, *(part for layer in layers for part in layer))  # type: ignore[return-value]


class _Pushed(NamedTuple):
    """What waits, halfway through its second derivative, for the gradient of the outputs."""

    pass_: int  # autograd's number of the backward pass that it belongs to
    kept: tanh_passes.Tangents
    u: Tensor
    along: list[Layer]


class _Run:
    """What one forward pass leaves to the passes that differentiate it."""

    def __init__(self, seen: tanh_passes.Activations) -> None:
        self.seen = seen
        self._pushed: list[_Pushed] = []

    def wait(self, kept: tanh_passes.Tangents, u: Tensor, along: list[Layer]) -> None:
        self._pushed = [*self.waited(), _Pushed(_backward_pass(), kept, u.detach(), along)]

    def waited(self) -> list[_Pushed]:
        """What this backward pass left; what another left that broke off or did not come here is dropped."""
        found, self._pushed = [pushed for pushed in self._pushed if pushed.pass_ == _backward_pass()], []
        return found


def _backward_pass() -> int:
    return torch._C._current_graph_task_id()


class _Outputs(torch.autograd.Function):
    """weights -> outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        layers = _layers(weights)
        seen, out = tanh_passes.forward(x, layers)
        ctx.run = _Run(seen)
        ctx.save_for_backward(x, out, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> Any:  # type: ignore[override]
        x, out, *weights = ctx.saved_tensors
        waited = ctx.run.waited()
        if not waited:
            return None, *_Pulled.apply(ctx.run, x, out, u, *weights)
        found, layers, seen = [], _layers(weights), ctx.run.seen
        for i, pushed in enumerate(waited):
            last = torch.zeros_like(u) if i else u  # it is the same for all that wait, and counts once
            found.append(tanh_passes.second_backward(seen, pushed.kept, pushed.u, last, layers, pushed.along))
        return None, *(sum(parts[1:], parts[0]) for parts in zip(*found, strict=True))


class _Pulled(torch.autograd.Function):
    """u, weights -> J^T u. To it the outputs are an input, so that autograd goes back to them after this."""

    @staticmethod
    def forward(ctx: Any, run: _Run, x: Tensor, out: Tensor, u: Tensor, *weights: Tensor) -> Any:
        ctx.save_for_backward(x, u, *weights)
        ctx.run = run
        return tuple(tanh_passes.vjp(run.seen, u, _layers(weights)))

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        x, u, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # it will be differentiated again, as TRPO's curvature is
            return None, None, None, *_by_autograd(x, u, weights, v)
        along = _layers(v)
        kept, pushed = tanh_passes.jvp(ctx.run.seen, _layers(weights), along)
        ctx.run.wait(kept, u, along)
        return None, None, None, pushed, *(None for _ in weights)


def _by_autograd(x: Tensor, u: Tensor, weights: Sequence[Tensor], v: Sequence[Tensor]) -> Sequence[Tensor]:
    """The same, recorded, so that it can be differentiated."""
    u, *weights = (  # apart: u is itself a function of the weights
        given.view_as(given) if given.requires_grad else given.detach().requires_grad_() for given in (u, *weights)
    )
    out = layers_forward(x, _layers(weights), tanh)[-1]
    pulled = torch.autograd.grad(out, weights, u, create_graph=True)
    return torch.autograd.grad(pulled, [u, *weights], v, create_graph=True, materialize_grads=True)


def _layers(weights: Sequence[Tensor]) -> list[Layer]:
    return list(zip(weights[::2], weights[1::2], strict=True))
