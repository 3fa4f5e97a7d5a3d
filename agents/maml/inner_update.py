r"""The inner loop: surrogate losses, and one gradient step of all tasks at once (Finn et al. 2017, section 2.2).

The gradient of a surrogate is the policy gradient. Surrogates differ in their second derivatives, which matter because
the outer loop differentiates through the inner gradient. Their arguments are the log-probabilities under the current
weights and at sampling time, advantages, and step weights (0 at rest), all [M, N, T]; the result is the loss of each
task [M]. `tests/agents/maml/test_surrogates.py` compares the meta-gradients with exact ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from metarl.agents.maml.advantages import per_task_mean
from metarl.agents.maml.network import HEAD, Network, Params

Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
SurrogateName = Literal["log-likelihood", "likelihood-ratio", "dice"]


def log_likelihood(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""Return the mean of $-\log\pi_\theta(a_t|s_t)\,A_t$ (Finn et al. 2017, equation 4).

    Its gradient is unbiased. Its Jacobian lacks $\nabla\log\pi\,\nabla\log\pi^\top A$: pre-update sampling gets no
    credit.
    """
    return -per_task_mean(log_prob, advantage * weight)


def likelihood_ratio(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""Return the mean of $-\frac{\pi_\theta(a_t|s_t)}{\pi_{old}(a_t|s_t)} A_t$: low-variance curvature (LVC).

    See Rothfuss et al. 2019, equation 7. Its Jacobian keeps the outer product of each step with itself, and lacks the
    products of different steps. This bias is zero in a bandit, and over longer horizons less than that of the
    log-likelihood.
    """
    return -per_task_mean((log_prob - old_log_prob).exp(), advantage * weight)


def dice(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""Return the mean of $-(\rho_{\le t} - \rho_{<t}) A_t$.

    Here $\rho_{\le t} = \prod_{k \le t} \pi_\theta(a_k|s_k)/\pi_{old}(a_k|s_k)$. This is DiCE (Foerster et al. 2018)
    for advantages, Loaded DiCE (Farquhar et al. 2019, equation 12 with lambda = 1). It is unbiased to every order, and
    has a higher variance.
    """
    ratio = ((log_prob - old_log_prob) * (weight > 0)).cumsum(-1).exp()
    before = ratio.roll(1, -1)
    before = before.slice_scatter(ratio.new_ones(*ratio.shape[:-1], 1), -1, 0, 1)
    return -per_task_mean(ratio - before, advantage * weight)


SURROGATES: dict[str, Surrogate] = {
    "log-likelihood": log_likelihood, "likelihood-ratio": likelihood_ratio, "dice": dice,
}  # fmt: skip


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


def first_broken(params: Params) -> int | None:
    """Return the index of the first task whose weights [M, ...] are not finite; None if all are finite."""
    finite = torch.stack([value.flatten(1).isfinite().all(1) for value in params.values()]).all(0)
    return None if bool(finite.all()) else int((~finite).nonzero()[0])
