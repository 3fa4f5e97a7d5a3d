"""The expected meta-gradient of each inner surrogate, compared with the exact one.

The problems are softmax tables whose distribution a few rollouts represent exactly. The comparison is therefore of the
estimators' expectations, without sampling error.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from metarl.agents.maml.advantages import step_weights
from metarl.agents.maml.inner_update import SURROGATES, InnerUpdate

ALPHA = 1.5


def bandit() -> tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], Tensor]:
    """Three arms of probabilities 0.5, 0.3, 0.2, represented by ten rollouts of one step."""
    theta = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    reward = torch.tensor([0.2, 1.0, -0.7], dtype=torch.float64)
    pulls = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)

    def value(theta: Tensor) -> Tensor:
        return theta.softmax(-1) @ reward

    def log_probs(theta: Tensor) -> Tensor:  # [N, T]
        return theta.log_softmax(-1)[pulls].unsqueeze(1)

    return theta, value, log_probs, reward[pulls].unsqueeze(1)


def tree() -> tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], Tensor]:
    """Two steps, represented by eight rollouts; the first action determines the state of the second."""
    first = torch.tensor([0.5, 0.5], dtype=torch.float64)
    second = torch.tensor([[0.25, 0.75], [0.75, 0.25]], dtype=torch.float64)
    theta = torch.cat([first, second.flatten()]).log()
    r1 = torch.tensor([0.3, -0.5], dtype=torch.float64)
    r2 = torch.tensor([[1.0, -0.4], [0.2, 0.9]], dtype=torch.float64)
    a = torch.tensor([0] * 4 + [1] * 4)
    b = torch.tensor([0, 1, 1, 1, 0, 0, 0, 1])

    def tables(theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta[:2].log_softmax(-1), theta[2:].view(2, 2).log_softmax(-1)

    def value(theta: Tensor) -> Tensor:
        p, q = (table.exp() for table in tables(theta))
        return p @ (r1 + (q * r2).sum(1))

    def log_probs(theta: Tensor) -> Tensor:
        log_p, log_q = tables(theta)
        return torch.stack([log_p[a], log_q[a, b]], 1)

    return theta, value, log_probs, torch.stack([r1[a] + r2[a, b], r2[a, b]], 1)  # returns-to-go


def exact_meta_gradient(problem) -> Tensor:
    theta, value, *_ = problem
    theta = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(theta), theta, create_graph=True)
    (meta,) = torch.autograd.grad(value(theta + ALPHA * gradient), theta)
    return meta


def meta_gradient(problem, name: str) -> Tensor:
    """Return the meta-gradient through an inner step on the enumerated rollouts; the outer objective is exact."""
    theta, value, log_probs, returns = problem
    old = log_probs(theta).unsqueeze(0)
    weight = step_weights(torch.ones_like(old))
    steps = old.shape[2]  # the loss is a mean over steps, the value a sum
    inner_update = InnerUpdate({"theta": torch.tensor(ALPHA * steps, dtype=torch.float64)})
    theta = theta.clone().requires_grad_()

    def losses(params):
        log_prob = torch.stack([log_probs(row) for row in params["theta"]])
        return SURROGATES[name](log_prob, old, returns.unsqueeze(0), weight)

    adapted = inner_update.step({"theta": theta.unsqueeze(0)}, losses, differentiable=True)["theta"]
    (meta,) = torch.autograd.grad(value(adapted[0]), theta)
    return meta


@pytest.mark.parametrize("problem", [bandit, tree])
@pytest.mark.parametrize("name", SURROGATES)
def test_inner_gradients_equal_the_policy_gradient(problem, name):
    theta, value, log_probs, returns = problem()
    theta = theta.clone().requires_grad_()
    (exact,) = torch.autograd.grad(value(theta), theta)
    old = log_probs(theta).detach().unsqueeze(0)
    weight = step_weights(torch.ones_like(old))
    loss = SURROGATES[name](log_probs(theta).unsqueeze(0), old, returns.unsqueeze(0), weight)
    (gradient,) = torch.autograd.grad(-loss.sum() * old.shape[2], theta)
    torch.testing.assert_close(gradient, exact)


@pytest.mark.parametrize("name", ["likelihood-ratio", "dice"])
def test_likelihood_ratio_and_dice_are_unbiased_on_a_bandit(name):
    torch.testing.assert_close(meta_gradient(bandit(), name), exact_meta_gradient(bandit()))


def test_the_bias_of_the_log_likelihood_on_a_bandit_is_the_missing_outer_product():
    problem = bandit()
    theta, value, log_probs, returns = problem
    biased, exact = meta_gradient(problem, "log-likelihood"), exact_meta_gradient(problem)
    assert (biased - exact).norm() > 0.1 * exact.norm()
    # The missing term is E[grad log pi grad log pi^T r], in closed form.
    scores = torch.autograd.functional.jacobian(log_probs, theta).select(1, 0)  # type: ignore[union-attr]
    missing = ALPHA * torch.einsum("ni,nj,n->ij", scores, scores, returns[:, 0]) / len(returns)
    (g,) = torch.autograd.grad(value(t := theta.clone().requires_grad_()), t)
    after = (theta + ALPHA * g).requires_grad_()
    (at_adapted,) = torch.autograd.grad(value(after), after)
    torch.testing.assert_close(exact - biased, missing @ at_adapted)


def test_over_two_steps_dice_is_unbiased_and_the_likelihood_ratio_less_biased_than_the_log_likelihood():
    exact = exact_meta_gradient(tree())
    error = {name: float((meta_gradient(tree(), name) - exact).norm() / exact.norm()) for name in SURROGATES}
    assert error["dice"] < 1e-9
    assert 1e-3 < error["likelihood-ratio"] < 0.7 * error["log-likelihood"]


@pytest.mark.parametrize("name", SURROGATES)
def test_losses_ignore_steps_at_rest(name):
    g = torch.Generator().manual_seed(0)
    log_prob, old, advantage = torch.randn(3, 2, 4, 6, generator=g)
    mask = torch.ones(2, 4, 6)
    mask[:, 2, 3:] = 0
    rest = mask == 0
    noisy = [torch.where(rest, torch.randn(x.shape, generator=g), x) for x in (log_prob, old, advantage)]
    a, b, c = noisy
    weight = step_weights(mask)
    torch.testing.assert_close(SURROGATES[name](a, b, c, weight), SURROGATES[name](log_prob, old, advantage, weight))
