"""The inner loop: one gradient step of all tasks at once (Finn et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metarl.agents.maml.network import HEAD, Network, Params


@dataclass(frozen=True)
class InnerUpdate:
    r"""The gradient step $\theta_i' = \theta_i - \alpha \odot \nabla_{\theta_i} L_i(\theta_i)$ of each task.

    step_sizes: $\alpha$ of each adapted weight by name, one number or one per element. Weights without a step size are
    not adapted (ANIL; Raghu et al. 2020). first_order: the outer loop treats the gradient as a constant (FOMAML; Finn
    et al. 2017, section 5.2); the outer gradient is still taken at the adapted weights.
    """

    step_sizes: Mapping[str, Tensor]
    first_order: bool = False

    def gradients(self, params: Params, losses: Callable[[Params], Tensor], differentiable: bool) -> Params:
        """Return the gradient [M, *shape] of each task's loss with respect to its adapted weights."""
        inputs = {
            name: value if value.requires_grad else value.detach().requires_grad_() for name, value in params.items()
        }
        adapted = [inputs[name] for name in self.step_sizes]
        # Each task has separate weights, so that the gradient of the sum holds the gradient of each task.
        # The graph is retained because the outer loop may differentiate a penalty on the same pre-update policies.
        grads = torch.autograd.grad(
            losses(inputs).sum(), adapted, create_graph=differentiable and not self.first_order,
            retain_graph=differentiable,
        )  # fmt: skip
        return dict(zip(self.step_sizes, grads, strict=True))

    def apply(self, params: Params, gradients: Params) -> Params:
        """Return the weights after the step."""
        return {
            name: value - self.step_sizes[name] * gradients[name] if name in gradients else value
            for name, value in params.items()
        }

    def step(self, params: Params, losses: Callable[[Params], Tensor], differentiable: bool = False) -> Params:
        """Return the weights after one inner step of M tasks. losses: weights [M, ...] -> loss of each task [M]."""
        return self.apply(params, self.gradients(params, losses, differentiable))


class StepSizes(nn.Module):
    """The inner step sizes: one fixed number, or learned for each element of each weight (Meta-SGD; Li et al. 2017)."""

    fixed: Tensor

    def __init__(self, network: Network, inner_lr: float, learned: bool, head_only: bool) -> None:
        super().__init__()
        self.learned = learned
        self.names = [name for name in network.meta if name in HEAD or not head_only]
        # Not saved: the fixed step size is a setting, which may be changed in a trained agent.
        self.register_buffer("fixed", torch.tensor(inner_lr), persistent=False)
        self.values = nn.ParameterList(torch.full_like(network.meta[n], inner_lr) for n in self.names if learned)

    def inner_update(self, first_order: bool = False) -> InnerUpdate:
        """Return the inner step with the current step sizes."""
        sizes = list(self.values) if self.learned else [self.fixed] * len(self.names)
        return InnerUpdate(dict(zip(self.names, sizes, strict=True)), first_order)
