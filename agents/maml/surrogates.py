r"""Inner surrogates: functions whose gradient is the policy gradient, and which differ in what their Jacobian keeps.

The outer loop differentiates through the inner gradient, so that the estimator's second derivative counts. Each takes
log-probabilities under the weights and at sampling time, [M, N, T], advantages and each step's weight in the task's mean
(0 at rest), and gives the loss of each task [M]; `tests/agents/maml/test_surrogates.py` compares their meta-gradients
with exact ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

Surrogate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
SurrogateName = Literal["log-likelihood", "likelihood-ratio", "dice"]


def log_likelihood(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""$-\log\pi_\theta(a_t|s_t)\,A_t$ (Finn et al. 2017, equation 4).

    Its gradient is right, its Jacobian lacks $\nabla\log\pi\,\nabla\log\pi^\top A$: no credit goes to pre-update
    sampling.
    """
    return -per_task_mean(log_prob, advantage * weight)


def likelihood_ratio(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""$-\frac{\pi_\theta(a_t|s_t)}{\pi_{old}(a_t|s_t)} A_t$: the low-variance curvature estimator, LVC.

    Rothfuss et al. 2019, equation 7. It keeps each step's outer product; products of different steps are left out, a
    bias that is nothing in a bandit and, over longer horizons, less than the log-likelihood's.
    """
    return -per_task_mean((log_prob - old_log_prob).exp(), advantage * weight)


def dice(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, weight: Tensor) -> Tensor:
    r"""$-(\rho_{\le t} - \rho_{<t}) A_t$, $\rho_{\le t} = \prod_{k \le t} \pi_\theta(a_k|s_k)/\pi_{old}(a_k|s_k)$.

    DiCE (Foerster et al. 2018) in the form that takes advantages, Loaded DiCE (Farquhar et al. 2019, equation 12 with
    lambda = 1): unbiased to every order, at a higher variance.
    """
    ratio = ((log_prob - old_log_prob) * (weight > 0)).cumsum(-1).exp()
    before = ratio.roll(1, -1)
    before = before.slice_scatter(ratio.new_ones(*ratio.shape[:-1], 1), -1, 0, 1)
    return -per_task_mean(ratio - before, advantage * weight)


def step_weights(mask: Tensor) -> Tensor:
    """What each step [M, N, T] counts in the mean over its task's own steps; 0 at rest."""
    return mask / mask.sum((1, 2), keepdim=True).clamp(min=1)


def per_task_mean(x: Tensor, weight: Tensor) -> Tensor:
    """[M]: the mean of x [M, N, T] over each task's own steps; for that of x y, y constant, pass weight * y."""
    return (x * weight).sum((1, 2))


SURROGATES: dict[str, Surrogate] = {
    "log-likelihood": log_likelihood, "likelihood-ratio": likelihood_ratio, "dice": dice,
}  # fmt: skip
