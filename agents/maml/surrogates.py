r"""Inner surrogates: losses whose gradient is the policy gradient, and which differ in their second derivatives.

The outer loop differentiates through the inner gradient, so that the second derivatives matter. Arguments are the
log-probabilities under the current weights and at sampling time, advantages, and step weights (0 at rest), all
[M, N, T]; the result is the loss of each task [M]. `tests/agents/maml/test_surrogates.py` compares the meta-gradients
with exact ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

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


def step_weights(mask: Tensor) -> Tensor:
    """Return the weight of each step in the mean over its task's taken steps, [M, N, T]; 0 at rest."""
    return mask / mask.sum((1, 2), keepdim=True).clamp(min=1)


def per_task_mean(x: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of x [M, N, T] over each task's taken steps, [M]; `weight` may contain a constant factor."""
    return (x * weight).sum((1, 2))


SURROGATES: dict[str, Surrogate] = {
    "log-likelihood": log_likelihood, "likelihood-ratio": likelihood_ratio, "dice": dice,
}  # fmt: skip
