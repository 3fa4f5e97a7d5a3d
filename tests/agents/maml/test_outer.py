"""The outer loop: its objective, and the optimisers TRPO, PPO and Reptile."""

import pytest
import torch

from metarl import MetarlError
from metarl.agents.maml.advantages import step_weights
from metarl.agents.maml.learner import MetaBatch, MetaLearner
from metarl.agents.maml.objective import clipped_surrogate, divergence, penalties, replay, surrogate
from metarl.agents.maml.outer_trpo import Curvature, conjugate_gradient
from metarl.agents.maml.presets import E_MAML, FOMAML, MAML, PROMP, REPTILE

SMALL = {"num_envs": 12, "meta_batch_size": 3, "hidden_size": 5, "layers": 1}


def make_learner(agent_type, distribution, **settings) -> MetaLearner:
    return agent_type.learner(distribution, agent_type.settings(**{**SMALL, **settings}), 0, "cpu")


def collect(learner: MetaLearner, seed: int = 0) -> MetaBatch:
    learner.seed = seed
    return learner.collect()


def collect_batches(learner: MetaLearner):
    return collect(learner).batches


def test_conjugate_gradient_solves_linear_equations():
    g = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=g, dtype=torch.float64)
    a, b = root @ root.T + torch.eye(6), torch.randn(6, generator=g, dtype=torch.float64)
    torch.testing.assert_close(conjugate_gradient(lambda v: a @ v, b, 20), torch.linalg.solve(a, b))


def test_curvature_is_the_hessian_of_the_divergence(guess):
    """J^T F' J equals the Hessian-vector product of autograd through the inner step, in float64."""
    learner = make_learner(MAML, guess)
    learner.policy.double()
    batches = [_double(batch) for batch in collect_batches(make_learner(MAML, guess))]
    # The divergence is measured from the policies that are adapted from the current weights.
    query = batches[-1]
    result = replay(learner.policy, batches)
    query.dist_params, query.log_std = (part.detach() for part in result.dist)
    result = replay(learner.policy, batches)
    weights = list(learner.policy.network.parameters())
    curvature = Curvature(result.dist, query.weight, weights)
    kl = divergence(learner.policy, query, result.dist).mean()
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(kl, weights, create_graph=True)])
    g = torch.Generator().manual_seed(3)
    v = torch.randn(gradient.shape, generator=g, dtype=torch.float64)
    product = curvature(v)
    expected = torch.cat([h.flatten() for h in torch.autograd.grad(gradient @ v, weights)])
    torch.testing.assert_close(product, expected, rtol=1e-6, atol=1e-9)


def loss_of(learner, batches) -> float:
    return float(surrogate(batches[-1], replay(learner.policy, batches).ratio).detach())


def _double(batch):
    return type(batch)(**{k: v.double() if v.is_floating_point() else v for k, v in vars(batch).items()})


def test_conjugate_gradient_stays_at_the_solution():
    """Further steps do not change the solution, also in single precision."""
    a, b = torch.diag(torch.tensor([1.0, 1.0, 4.0])), torch.tensor([1.0, 2.0, -3.0])
    few, many = (conjugate_gradient(lambda v: a @ v, b, steps) for steps in (4, 40))
    assert torch.equal(few, many)
    torch.testing.assert_close(many, torch.linalg.solve(a, b))


@pytest.mark.parametrize(("agent_type", "loop"), [(PROMP, "outer"), (MAML, "outer"), (REPTILE, "inner")])
def test_a_gradient_that_is_not_finite_raises_with_its_task_and_leaves_the_weights(agent_type, loop, guess):
    learner = make_learner(agent_type, guess)
    meta_batch = collect(learner)
    meta_batch.batches[-1].advantage[1, 0, 0] = torch.inf
    before = [weight.clone() for weight in learner.policy.parameters()]
    with pytest.raises(
        MetarlError, match=rf"{loop} gradient of task 1 \(\{{'target': -?0.4\}}\) is not finite: the last"
    ):
        learner.outer.step(meta_batch.batches, meta_batch.tasks)
    assert all(torch.equal(a, b) for a, b in zip(before, learner.policy.parameters(), strict=True))


@pytest.mark.parametrize("max_kl", [1e-3, 3e-2])
def test_a_trpo_step_is_within_the_bound_and_improves_the_objective(guess, max_kl):
    learner = make_learner(MAML, guess, num_envs=48, max_kl=max_kl)
    for seed in range(3):
        meta_batch = collect(learner, seed)
        batches = meta_batch.batches
        before = loss_of(learner, batches)
        metrics = learner.outer.step(meta_batch.batches, meta_batch.tasks)
        result = replay(learner.policy, batches)
        assert metrics["step"] > 0
        kl = float(divergence(learner.policy, batches[-1], result.dist).detach().mean())
        assert kl <= max_kl * (1 + 1e-5)
        assert loss_of(learner, batches) < before
        assert abs(metrics["kl"] - kl) < 1e-6


def test_reptile_moves_a_fraction_of_the_way_to_the_mean_of_the_adapted_weights(guess):
    learner = make_learner(REPTILE, guess, outer_lr=0.25)
    meta_batch = collect(learner)
    params = learner.policy.network.params(3)
    for batch in meta_batch.batches:
        params = learner.policy.adapt({k: v.detach() for k, v in params.items()}, batch)
    meta = learner.policy.network.meta
    expected = {k: 0.75 * w.detach() + 0.25 * params[k].detach().mean(0) for k, w in meta.items()}
    learner.outer.step(meta_batch.batches, meta_batch.tasks)
    for name, weight in meta.items():
        torch.testing.assert_close(weight.detach(), expected[name])


def test_the_clipped_surrogate_equals_that_of_ppo_in_value_and_gradient(guess):
    """min(r A, clip(r) A) of Schulman et al. (2017), as published."""
    query = collect_batches(make_learner(PROMP, guess))[-1]
    g = torch.Generator().manual_seed(0)
    ratio = (1 + 0.5 * torch.randn(query.reward.shape, generator=g)).requires_grad_()
    query.advantage = torch.randn(query.reward.shape, generator=g)
    mask = torch.rand(query.reward.shape, generator=g) < 0.7
    mask[0] = False  # a task at rest
    query.mask, query.weight = mask.float(), step_weights(mask.float())
    loss = clipped_surrogate(query, ratio, 0.3)
    clipped = torch.min(ratio * query.advantage, ratio.clamp(0.7, 1.3) * query.advantage)
    means = [x[taken].sum() / max(1, int(taken.sum())) for x, taken in zip(clipped, mask, strict=True)]
    expected = -torch.stack(means).mean()
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(value, ratio)[0] for value in (loss, expected)]
    torch.testing.assert_close(*gradients)
    assert (gradients[0] == 0)[mask].any()


def test_before_the_first_outer_step_ratios_are_one_and_divergences_zero(guess):
    """The query batch is sampled by the adapted policy of each task."""
    learner = make_learner(PROMP, guess)
    batches = collect_batches(learner)
    result = replay(learner.policy, batches)
    kl = divergence(learner.policy, batches[-1], result.dist)
    torch.testing.assert_close(result.ratio, torch.ones_like(result.ratio))
    torch.testing.assert_close(kl, torch.zeros_like(kl), atol=1e-6, rtol=0)
    torch.testing.assert_close(result.inner_kl, torch.zeros_like(result.inner_kl), atol=1e-6, rtol=0)


def test_the_first_order_gradient_differs(guess):
    exact, first = make_learner(PROMP, guess, inner_lr=1.0), make_learner(FOMAML, guess, inner_lr=1.0)
    batches = collect_batches(exact)
    gradients = []
    for learner in (exact, first):
        loss = surrogate(batches[-1], replay(learner.policy, batches).ratio)
        gradients.append(
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(learner.policy.network.parameters()))])
        )
    assert (gradients[0] - gradients[1]).norm() > 1e-3 * gradients[0].norm()


@pytest.mark.parametrize("penalty", ["inner_kl_coef", "exploration_coef"])
def test_first_order_gradients_include_penalties_on_pre_update_policies(guess, penalty):
    """The graph that the inner step and the penalty have in common is differentiated twice; gradients add up."""
    learner = make_learner(FOMAML, guess, **{penalty: 0.5})
    batches = collect_batches(learner)
    weights = list(learner.policy.network.parameters())

    def gradient(loss):
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights, retain_graph=True)])

    result = replay(learner.policy, batches)
    loss, penalty_loss = surrogate(batches[-1], result.ratio), penalties(learner.policy, batches, result)
    torch.testing.assert_close(gradient(loss + penalty_loss), gradient(loss) + gradient(penalty_loss))
    plain = make_learner(FOMAML, guess)
    plain_loss = surrogate(batches[-1], replay(plain.policy, batches).ratio)
    unpenalised = torch.autograd.grad(plain_loss, list(plain.policy.network.parameters()))
    torch.testing.assert_close(gradient(loss), torch.cat([g.flatten() for g in unpenalised]))
    if penalty == "exploration_coef":  # the divergence has its minimum, 0, at the policies that sampled
        assert gradient(penalty_loss).norm() > 0
    meta_batch = collect(learner)
    learner.outer.step(meta_batch.batches, meta_batch.tasks)


def test_emaml_credits_pre_update_actions_with_post_update_returns(guess):
    """The term raises the pre-update log-likelihood of tasks with returns above the mean, and lowers the others."""
    learner = make_learner(E_MAML, guess, exploration_coef=1.0)
    batches = collect_batches(learner)
    result = replay(learner.policy, batches)
    (gradient,) = torch.autograd.grad(penalties(learner.policy, batches, result), result.pre_update_log_ratio)
    task_return = batches[-1].returns.mean(1)
    assert torch.equal(gradient < 0, task_return > task_return.mean())
