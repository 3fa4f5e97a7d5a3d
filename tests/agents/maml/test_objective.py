"""The outer objective and its gradient, compared with a loop over tasks with torch.distributions, in float64."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal, kl_divergence

import metarl
from metarl.agents.maml.objective import clipped_surrogate, penalties, replay
from metarl.agents.maml.presets import PROMP


def dist(outputs: Tensor, log_std: Tensor | None):
    return Categorical(logits=outputs) if log_std is None else Independent(Normal(outputs, log_std.exp()), 1)


def policy_dist(params: dict[str, Tensor], x: Tensor, layers: int):
    for i in range(layers):
        x = (x @ params[f"layer{i}_weight"] + params[f"layer{i}_bias"]).tanh()
    return dist(x @ params["head_weight"] + params["head_bias"], params.get("log_std"))


def dice(log_ratio: Tensor, advantage: Tensor, mask: Tensor) -> Tensor:
    """Return DiCE as defined (Foerster et al. 2018), by products of ratios up to each step, minus those before it."""
    total = log_ratio.new_zeros(())
    for row, credit, taken in zip(log_ratio, advantage, mask, strict=True):
        products = row[taken].cumsum(0).exp()
        total = total + ((products - torch.cat([products.new_ones(1), products[:-1]])) * credit[taken]).sum()
    return total / mask.sum()


def objective(learner, batches) -> tuple[Tensor, list[Tensor]]:
    """Return the loss and the leaves that it depends on: weights, then learned step sizes."""
    s, double = learner.settings, lambda t: t.detach().double().requires_grad_()
    meta = {name: double(weight) for name, weight in learner.policy.network.meta.items()}
    sizes = [double(size) for size in learner.policy.step_sizes.inner_update().step_sizes.values()]
    task_return = batches[-1].reward.double().sum(2).mean(1)
    task_advantage = (task_return - task_return.mean()) / (task_return.std(correction=0) + 1e-8)
    loss, count, steps = torch.zeros((), dtype=torch.float64), len(task_return), len(batches) - 1
    for i in range(count):
        params = dict(meta)
        for batch in batches:
            mask, obs = batch.mask[i].bool(), batch.obs[i].double()
            old, credit, action = batch.log_prob[i].double(), batch.advantage[i].double(), batch.action[i]
            new = policy_dist(params, obs, s.layers)
            log_prob = new.log_prob(action if action.dtype == torch.int64 else action.double())
            if batch is batches[-1]:
                ratio = (log_prob - old).exp()
                gain = torch.min(ratio * credit, ratio.clamp(1 - s.clip_coef, 1 + s.clip_coef) * credit)
                loss = loss - gain[mask].mean() / count
                continue
            before = dist(batch.dist_params[i].double(), batch.log_std[i].double() if "log_std" in meta else None)
            loss = loss + s.inner_kl_coef * kl_divergence(before, new)[mask].mean() / steps / count
            loss = loss - s.exploration_coef * (log_prob - old)[mask].mean() * task_advantage[i] / steps / count
            if s.surrogate == "log-likelihood":
                inner = -(log_prob * credit)[mask].mean()
            elif s.surrogate == "likelihood-ratio":
                inner = -((log_prob - old).exp() * credit)[mask].mean()
            else:
                inner = -dice(log_prob - old, credit, mask)
            names = learner.policy.step_sizes.names
            gradients = torch.autograd.grad(
                inner, [params[n] for n in names], create_graph=not s.first_order, retain_graph=True
            )
            params |= {n: params[n] - size * g for n, size, g in zip(names, sizes, gradients, strict=True)}
    return loss, [*meta.values(), *(sizes if s.learn_rates else [])]


@pytest.mark.parametrize("world", ["guess", "fragile_guess", "GridNavi"])  # constant length, rests, discrete
@pytest.mark.parametrize(
    "given",
    [
        {"surrogate": "log-likelihood", "inner_steps": 2, "learn_rates": True},
        {"surrogate": "likelihood-ratio", "inner_steps": 2, "head_only": True, "learn_rates": True},
        {"surrogate": "dice", "inner_steps": 2},
        {"surrogate": "likelihood-ratio", "first_order": True, "learn_rates": True},
    ],
    ids=lambda given: given["surrogate"],
)
def test_the_objective_and_its_gradient_equal_a_loop_over_tasks(world, given, request):
    distribution = metarl.get(world) if world == "GridNavi" else request.getfixturevalue(world)
    settings = PROMP.settings(
        num_envs=12, meta_batch_size=3, hidden_size=8, inner_lr=0.3, initial_std=1.0, inner_kl_coef=0.2,
        exploration_coef=0.3, **given,
    )  # fmt: skip
    learner = PROMP.learner(distribution, settings, 4, "cpu")  # type: ignore[misc]
    batches = learner.collect().batches  # type: ignore[attr-defined]
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():  # change the weights that sampled, so that ratios are not one
        for weight in learner.policy.network.parameters():  # type: ignore[attr-defined]
            weight += 0.03 * torch.randn(weight.shape, generator=g)
    policy = learner.policy  # type: ignore[attr-defined]
    result = replay(policy, batches)
    loss = clipped_surrogate(batches[-1], result.ratio, settings.clip_coef) + penalties(policy, batches, result)
    expected, leaves = objective(learner, batches)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-6)
    weights = [*policy.network.parameters(), *policy.step_sizes.values]
    gradient, expected_gradient = (
        torch.cat([x.flatten().double() for x in torch.autograd.grad(value, inputs)])
        for value, inputs in ((loss, weights), (expected, leaves))
    )
    assert float((gradient - expected_gradient).norm() / expected_gradient.norm()) < 1e-4
