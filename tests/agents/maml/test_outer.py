"""The outer loop's optimisers: the trust region, its curvature, conjugate gradient, Reptile's step."""

import pytest
import torch

from metarl import MetarlError
from metarl.agents.maml.learner import MetaBatch, MetaLearner
from metarl.agents.maml.objective import clipped_surrogate, divergence, penalties, replay, surrogate
from metarl.agents.maml.outer_trpo import Curvature, conjugate_gradient
from metarl.agents.maml.presets import E_MAML, FOMAML, MAML, PROMP, REPTILE
from metarl.agents.maml.surrogates import step_weights

SMALL = {"num_envs": 12, "meta_batch_size": 3, "hidden_size": 5, "layers": 1}


def learner(kind, distribution, **settings) -> MetaLearner:
    return kind.learner(distribution, kind.settings(**{**SMALL, **settings}), 0, "cpu")


def collect(made: MetaLearner, seed: int = 0) -> MetaBatch:
    made.seed = seed
    return made.collect()


def batches(made: MetaLearner):
    return collect(made).batches


def test_conjugate_gradient_solves():
    g = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=g, dtype=torch.float64)
    a, b = root @ root.T + torch.eye(6), torch.randn(6, generator=g, dtype=torch.float64)
    torch.testing.assert_close(conjugate_gradient(lambda v: a @ v, b, 20), torch.linalg.solve(a, b))


def test_curvature_is_the_hessian_of_the_divergence(guess):
    """J^T F' J against autograd's mask Hessian-vector product through the inner step, in float64."""
    made = learner(MAML, guess)
    made.policy.double()
    trial = [_double(batch) for batch in batches(learner(MAML, guess))]
    # The divergence is from the policies that adapt at these very weights.
    query = trial[-1]
    now = replay(made.policy, trial)
    query.dist_params, query.log_std = (part.detach() for part in now.dist)
    now = replay(made.policy, trial)
    weights = list(made.policy.network.parameters())
    ours = Curvature(now.dist, query.weight, weights)
    slope = torch.cat(
        [
            g.flatten()
            for g in torch.autograd.grad(divergence(made.policy, query, now.dist).mean(), weights, create_graph=True)
        ]
    )
    g = torch.Generator().manual_seed(3)
    v = torch.randn(slope.shape, generator=g, dtype=torch.float64)
    product = ours(v)
    theirs = torch.cat([h.flatten() for h in torch.autograd.grad(slope @ v, weights)])
    torch.testing.assert_close(product, theirs, rtol=1e-6, atol=1e-9)


def loss_of(made, trial) -> float:
    return float(surrogate(trial[-1], replay(made.policy, trial).ratio).detach())


def _double(batch):
    return type(batch)(**{k: v.double() if v.is_floating_point() else v for k, v in vars(batch).items()})


def test_conjugate_gradient_stays_where_it_has_solved():
    """Steps beyond the last that is needed change nothing, in single precision either."""
    a, b = torch.diag(torch.tensor([1.0, 1.0, 4.0])), torch.tensor([1.0, 2.0, -3.0])
    few, many = (conjugate_gradient(lambda v: a @ v, b, steps) for steps in (4, 40))
    assert torch.equal(few, many)
    torch.testing.assert_close(many, torch.linalg.solve(a, b))


@pytest.mark.parametrize(("kind", "which"), [(PROMP, "outer"), (MAML, "outer"), (REPTILE, "inner")])
def test_a_gradient_that_is_not_finite_names_its_task_and_moves_nothing(kind, which, guess):
    made = learner(kind, guess)
    batch = collect(made)
    batch.batches[-1].advantage[1, 0, 0] = torch.inf
    was = [weight.clone() for weight in made.policy.parameters()]
    with pytest.raises(
        MetarlError, match=rf"{which} gradient of task 1 \(\{{'target': -?0.4\}}\) is not finite: the last"
    ):
        made.outer.step(batch.batches, batch.tasks)
    assert all(torch.equal(a, b) for a, b in zip(was, made.policy.parameters(), strict=True))


@pytest.mark.parametrize("max_kl", [1e-3, 3e-2])
def test_trust_region_is_respected_and_the_objective_improves(guess, max_kl):
    made = learner(MAML, guess, num_envs=48, max_kl=max_kl)
    for seed in range(3):
        batch = collect(made, seed)
        trial = batch.batches
        before = loss_of(made, trial)
        metrics = made.outer.step(batch.batches, batch.tasks)
        now = replay(made.policy, trial)
        assert metrics["step"] > 0
        kl = float(divergence(made.policy, trial[-1], now.dist).detach().mean())
        assert kl <= max_kl * (1 + 1e-5)
        assert loss_of(made, trial) < before
        assert abs(metrics["kl"] - kl) < 1e-6


def test_reptile_goes_a_share_of_the_way_to_the_mean_of_the_adapted_weights(guess):
    made = learner(REPTILE, guess, outer_lr=0.25)
    meta_batch = collect(made)
    params = made.policy.network.params(3)
    for batch in meta_batch.batches:
        params = made.policy.adapt({k: v.detach() for k, v in params.items()}, batch)
    wanted = {k: 0.75 * w.detach() + 0.25 * params[k].detach().mean(0) for k, w in made.policy.network.meta.items()}
    made.outer.step(meta_batch.batches, meta_batch.tasks)
    for name, weight in made.policy.network.meta.items():
        torch.testing.assert_close(weight.detach(), wanted[name])


def test_the_clip_is_that_of_ppo_in_value_and_gradient(guess):
    """min(r A, clip(r) A), Schulman et al. 2017, as it stands there."""
    query = batches(learner(PROMP, guess))[-1]
    g = torch.Generator().manual_seed(0)
    ratio = (1 + 0.5 * torch.randn(query.reward.shape, generator=g)).requires_grad_()
    query.advantage = torch.randn(query.reward.shape, generator=g)
    mask = torch.rand(query.reward.shape, generator=g) < 0.7
    mask[0] = False  # a task at rest
    query.mask, query.weight = mask.float(), step_weights(mask.float())
    ours = clipped_surrogate(query, ratio, 0.3)
    clipped = torch.min(ratio * query.advantage, ratio.clamp(0.7, 1.3) * query.advantage)
    theirs = -torch.stack(
        [x[mine].sum() / max(1, int(mine.sum())) for x, mine in zip(clipped, mask, strict=True)]
    ).mean()
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, ratio)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    assert (gradients[0] == 0)[mask].any()


def test_before_any_step_the_ratio_is_one_and_no_divergence(guess):
    """The old policy of the query phase is each task's mask adapted policy at sampling time."""
    made = learner(PROMP, guess)
    trial = batches(made)
    now = replay(made.policy, trial)
    kl = divergence(made.policy, trial[-1], now.dist)
    torch.testing.assert_close(now.ratio, torch.ones_like(now.ratio))
    torch.testing.assert_close(kl, torch.zeros_like(kl), atol=1e-6, rtol=0)
    torch.testing.assert_close(now.inner_kl, torch.zeros_like(now.inner_kl), atol=1e-6, rtol=0)


def test_first_order_gives_another_gradient(guess):
    exact, first = learner(PROMP, guess, inner_lr=1.0), learner(FOMAML, guess, inner_lr=1.0)
    trial = batches(exact)
    gradients = []
    for made in (exact, first):
        loss = surrogate(trial[-1], replay(made.policy, trial).ratio)
        gradients.append(
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(made.policy.network.parameters()))])
        )
    assert (gradients[0] - gradients[1]).norm() > 1e-3 * gradients[0].norm()


@pytest.mark.parametrize("penalty", ["inner_kl_coef", "exploration_coef"])
def test_first_order_goes_with_a_penalty_on_the_policies_before_adaptation(guess, penalty):
    """What the inner step and the penalty share is differentiated for both; the sum is that of either alone."""
    made = learner(FOMAML, guess, **{penalty: 0.5})
    trial = batches(made)
    weights = list(made.policy.network.parameters())

    def gradient(loss):
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights, retain_graph=True)])

    now = replay(made.policy, trial)
    earned, before = surrogate(trial[-1], now.ratio), penalties(made.policy, trial, now)
    both, apart = gradient(earned + before), gradient(earned) + gradient(before)
    torch.testing.assert_close(both, apart)
    plain = learner(FOMAML, guess)
    alone = surrogate(trial[-1], replay(plain.policy, trial).ratio)
    unpenalised = torch.autograd.grad(alone, list(plain.policy.network.parameters()))
    torch.testing.assert_close(gradient(earned), torch.cat([g.flatten() for g in unpenalised]))
    if penalty == "exploration_coef":  # the divergence is least where the policies are those that sampled
        assert gradient(before).norm() > 0
    batch = collect(made)
    made.outer.step(batch.batches, batch.tasks)


def test_emaml_credits_pre_update_actions_by_what_came_after(guess):
    """Its term pushes up the pre-update log-likelihood where a task earned more than the others, down where less."""
    made = learner(E_MAML, guess, exploration_coef=1.0)
    trial = batches(made)
    now = replay(made.policy, trial)
    (push,) = torch.autograd.grad(penalties(made.policy, trial, now), now.pre_update)
    earned = trial[-1].returns.mean(1)
    assert torch.equal(push < 0, earned > earned.mean())
