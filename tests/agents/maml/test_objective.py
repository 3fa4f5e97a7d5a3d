"""The whole outer objective and its gradient against a plain loop over tasks by torch.distributions, in float64."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal, kl_divergence

import metarl
from metarl.agents.maml.objective import clipped_surrogate, penalties, replay
from metarl.agents.maml.presets import PROMP


def dist(out: Tensor, log_std: Tensor | None):
    return Categorical(logits=out) if log_std is None else Independent(Normal(out, log_std.exp()), 1)


def policy(params: dict[str, Tensor], x: Tensor, layers: int):
    for i in range(layers):
        x = (x @ params[f"layer{i}_weight"] + params[f"layer{i}_bias"]).tanh()
    return dist(x @ params["head_weight"] + params["head_bias"], params.get("log_std"))


def of_rollouts(log_ratio: Tensor, advantage: Tensor, own: Tensor) -> Tensor:
    """DiCE by its definition (Foerster et al. 2018): a product of ratios up to each step, less the one before."""
    total = log_ratio.new_zeros(())
    for row, credit, mine in zip(log_ratio, advantage, own, strict=True):
        products = row[mine].cumsum(0).exp()
        total = total + ((products - torch.cat([products.new_ones(1), products[:-1]])) * credit[mine]).sum()
    return total / own.sum()


def objective(made, batches) -> tuple[Tensor, list[Tensor]]:
    """The loss and the leaves it is a function of: weights, then learned step sizes."""
    s, double = made.settings, lambda t: t.detach().double().requires_grad_()
    meta = {name: double(weight) for name, weight in made.policy.network.meta.items()}
    sizes = [double(rate) for rate in made.policy.step_sizes.inner_update().step_sizes.values()]
    earned = batches[-1].reward.double().sum(2).mean(1)
    worth = (earned - earned.mean()) / (earned.std(correction=0) + 1e-8)
    loss, count, steps = torch.zeros((), dtype=torch.float64), len(earned), len(batches) - 1
    for i in range(count):
        params = dict(meta)
        for batch in batches:
            own, obs = batch.mask[i].bool(), batch.obs[i].double()
            old, credit, action = batch.log_prob[i].double(), batch.advantage[i].double(), batch.action[i]
            now = policy(params, obs, s.layers)
            log_prob = now.log_prob(action if action.dtype == torch.int64 else action.double())
            if batch is batches[-1]:
                ratio = (log_prob - old).exp()
                gain = torch.min(ratio * credit, ratio.clamp(1 - s.clip_coef, 1 + s.clip_coef) * credit)
                loss = loss - gain[own].mean() / count
                continue
            before = dist(batch.dist_params[i].double(), batch.log_std[i].double() if "log_std" in meta else None)
            loss = loss + s.inner_kl_coef * kl_divergence(before, now)[own].mean() / steps / count
            loss = loss - s.exploration_coef * (log_prob - old)[own].mean() * worth[i] / steps / count
            if s.surrogate == "log-likelihood":
                inner = -(log_prob * credit)[own].mean()
            elif s.surrogate == "likelihood-ratio":
                inner = -((log_prob - old).exp() * credit)[own].mean()
            else:
                inner = -of_rollouts(log_prob - old, credit, own)
            names = made.policy.step_sizes.names
            found = torch.autograd.grad(
                inner, [params[n] for n in names], create_graph=not s.first_order, retain_graph=True
            )
            params |= {n: params[n] - size * g for n, size, g in zip(names, sizes, found, strict=True)}
    return loss, [*meta.values(), *(sizes if s.learn_rates else [])]


@pytest.mark.parametrize("world", ["guess", "fragile_guess", "GridNavi"])  # which rests early; discrete
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
def test_the_objective_and_its_gradient_are_a_plain_loops(world, given, request):
    family = metarl.get(world) if world == "GridNavi" else request.getfixturevalue(world)
    settings = PROMP.settings(
        num_envs=12, meta_batch_size=3, hidden_size=8, inner_lr=0.3, initial_std=1.0, inner_kl_coef=0.2,
        exploration_coef=0.3, **given,
    )  # fmt: skip
    made = PROMP.learner(family, settings, 4, "cpu")  # type: ignore[misc]
    batches = made.collect().batches  # type: ignore[attr-defined]
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():  # away from the weights that sampled, so that ratios are not one
        for weight in made.policy.network.parameters():  # type: ignore[attr-defined]
            weight += 0.03 * torch.randn(weight.shape, generator=g)
    now = replay(made.policy, batches)  # type: ignore[attr-defined]
    ours = clipped_surrogate(batches[-1], now.ratio, settings.clip_coef) + penalties(made.policy, batches, now)  # type: ignore[attr-defined]
    loss, leaves = objective(made, batches)
    torch.testing.assert_close(ours.double(), loss, rtol=1e-4, atol=1e-6)
    weights = [*made.policy.network.parameters(), *made.policy.step_sizes.values]  # type: ignore[attr-defined]
    a, b = (
        torch.cat([x.flatten().double() for x in torch.autograd.grad(value, to)])
        for value, to in ((ours, weights), (loss, leaves))
    )
    assert float((a - b).norm() / b.norm()) < 1e-4
