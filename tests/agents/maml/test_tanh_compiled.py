"""The compiled passes through tanh layers equal the passes of torch operations, however rows divide into blocks."""

from itertools import pairwise

import pytest
import torch

from metarl.agents.maml import tanh_compiled, tanh_layers, tanh_torch
from metarl.agents.maml.inner import Rates
from metarl.agents.maml.network import Network

pytestmark = pytest.mark.skipif(
    not tanh_compiled.COMPILED, reason="no C compiler was at hand when metarl was installed"
)
SHAPES = [
    (1, 1, (3, 8, 1)), (3, 63, (17, 64, 64, 6)), (2, 64, (17, 64, 64, 6)), (2, 65, (5, 24, 8)),
    (5, 7, (20, 16, 24, 40, 3)), (2, 130, (1, 128, 19)), (4, 200, (2, 8, 8, 8, 8, 8, 8, 8, 2)), (2, 50, (4, 40, 7)),
    (3, 5, (2, 8, 4)),
]  # fmt: skip


def problem(tasks, rows, sizes) -> tuple:
    """x, layers, what pulls the outputs, once and again, a direction in the weights."""
    g = torch.Generator().manual_seed(0)
    random = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    layers = [(random(tasks, i, o) / i**0.5, random(tasks, o)) for i, o in pairwise(sizes)]
    along = [(torch.randn(w.shape, generator=g), torch.randn(b.shape, generator=g)) for w, b in layers]
    return random(tasks, rows, sizes[0]), layers, *random(2, tasks, rows, sizes[-1]), along


def passes(way, x, layers, u, last, along, again=True):
    """Outputs, J^T u, J v, and the gradient of u^T J v + last^T (outputs)."""
    seen, out = way.run(x, layers)
    pulled, delta = way.pull(seen, u, layers, again)
    kept, pushed = way.push(seen, layers, along)
    return [out, *pulled, pushed, *way.bend(seen, delta, kept, u, last, layers, along)]


def double(layers):
    return [(weight.double(), bias.double()) for weight, bias in layers]


@pytest.mark.parametrize(("tasks", "rows", "sizes"), SHAPES)
def test_compiled_equals_torch(tasks, rows, sizes):
    x, layers, u, last, along = problem(tasks, rows, sizes)
    assert tanh_compiled.serve(x, layers)
    ours = passes(tanh_compiled, x, layers, u, last, along)
    for a, b in zip(ours, passes(tanh_compiled, x, layers, u, last, along, again=False), strict=True):
        assert torch.equal(a, b)  # what is kept is what is found again
    exact = passes(tanh_torch, x.double(), double(layers), u.double(), last.double(), double(along))
    for a, b in zip(ours, exact, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-5, atol=2e-6 * max(1.0, float(b.abs().max())))


def test_weights_may_be_shared_by_all_tasks_and_lie_anyhow():
    x, layers, u, last, along = problem(3, 70, (17, 16, 6))
    shared = [(weight[:1].expand_as(weight), bias[:1].expand_as(bias)) for weight, bias in layers]
    turned = [(weight.mT.contiguous().mT, bias) for weight, bias in shared]
    spread = lambda t: t.repeat_interleave(2, -1)[..., ::2]  # noqa: E731
    ours = passes(tanh_compiled, spread(x), turned, u[:, :1].expand_as(u), spread(last), along)
    whole = [(weight.contiguous(), bias.contiguous()) for weight, bias in shared]
    expected = passes(tanh_compiled, x, whole, u[:, :1].expand_as(u).contiguous(), last, along)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


def test_a_policy_acts_by_the_very_numbers_it_learns_from():
    network = Network((17,), 6)
    params = {name: weight + 0.1 * torch.randn(5, *weight.shape[1:]) for name, weight in network.params(5).items()}
    x = torch.randn(5, 90, 17)
    learned_from = network(params, x)
    with torch.no_grad():
        acted_by = torch.cat([network(params, rows) for rows in x.split(9, dim=1)], 1)
        alone = torch.cat([network(params, rows) for rows in x.split(1, dim=1)], 1)  # which torch computes
    assert torch.equal(acted_by, learned_from)
    torch.testing.assert_close(alone, learned_from, rtol=1e-5, atol=1e-6)


def test_tasks_are_shared_out_to_threads_and_nothing_depends_on_how_many(monkeypatch):
    given = problem(7, 70, (17, 16, 6))
    monkeypatch.setattr(tanh_compiled, "WORTH_THREADS", 0)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(passes(tanh_compiled, *given))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("outputs", [1, 3, 7, 8, 9])
@pytest.mark.parametrize("rows", [1, 8, 50])
def test_nothing_is_written_beyond_the_arrays(outputs, rows):
    """Short rows go as vectors of eight numbers, the last ones too."""
    x, layers, *_ = problem(1, rows, (3, 8, outputs))
    expected = tanh_compiled.run(x, layers)[1]
    out = torch.full((rows * outputs + 16,), torch.nan)
    addresses = tuple(n for layer in layers for part in layer for n in (part.data_ptr(), 0))
    hidden = torch.empty(rows, 8)
    seen = x.data_ptr(), hidden.data_ptr()
    tanh_compiled.tanh_loops.run((3, 8, outputs), rows, seen, addresses, 1, 1, out.data_ptr())
    assert torch.equal(out[: rows * outputs], expected.flatten())
    assert out[rows * outputs :].isnan().all()


def test_the_loops_refuse_what_they_were_not_made_for():
    with pytest.raises(ValueError, match="1 to 8 layers"):
        tanh_compiled.tanh_loops.run((3,), 1, (), (), 1, 1, 0)
    with pytest.raises(ValueError, match="tuple of 4 numbers"):
        tanh_compiled.tanh_loops.run((3, 8), 1, (0,), (0, 0, 0), 1, 1, 0)


@pytest.mark.parametrize("change", ["double", "odd units", "many layers"])
def test_what_does_not_fit_goes_by_torch(change):
    sizes = {"double": (3, 8, 2), "odd units": (3, 9, 2), "many layers": (3, *[8] * 8, 2)}[change]
    x, layers, *_ = problem(2, 5, sizes)
    if change == "double":
        x, layers = x.double(), double(layers)
    assert not tanh_compiled.serve(x, layers)


@pytest.mark.parametrize("change", ["one set of weights", "too many weights", "too many inputs", "too many biases"])
def test_what_does_not_fit_together_is_torchs_to_refuse(change):
    x, layers, *_ = problem(2, 5, (3, 8, 2))
    if change == "one set of weights":
        layers = [(weight[:1], bias[:1]) for weight, bias in layers]
    elif change == "too many weights":
        layers = [(weight.repeat(2, 1, 1), bias.repeat(2, 1)) for weight, bias in layers]
    elif change == "too many inputs":
        x = x.repeat(1, 1, 2)
    else:
        layers[0] = layers[0][0], layers[0][1].repeat(1, 2)
    with pytest.raises(RuntimeError):
        tanh_layers.tanh_layers(x, layers)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_meta_gradient_through_what_is_compiled(steps, monkeypatch):
    """Inner steps and through them, in single precision, with the compiled loops and without."""
    calls = []
    for name in ("run", "pull", "push", "bend"):
        loop = getattr(tanh_compiled.tanh_loops, name)
        counted = lambda *given, name=name, loop=loop: (calls.append(name), loop(*given))  # noqa: E731
        monkeypatch.setattr(tanh_compiled.tanh_loops, name, counted)
    torch.manual_seed(0)
    network = Network((5,), outputs=3, hidden_size=32)
    rates = Rates(network, 0.1, learned=False, head_only=False)
    x, xq, y = torch.randn(2, 50, 5), torch.randn(2, 50, 5), torch.randn(2, 50, 3)
    found = []
    for serve in (tanh_compiled.serve, lambda x, layers: False):
        monkeypatch.setattr(tanh_layers.tanh_compiled, "serve", serve)
        losses = lambda params: (network(params, x) - y).square().mean((1, 2))  # noqa: E731
        adapted = network.params(2)
        for _ in range(steps):
            adapted = rates.rule().step(adapted, losses, differentiable=True)
        loss = (network(adapted, xq) - y).exp().mean()
        found.append(torch.autograd.grad(loss, list(network.parameters())))
        assert set(calls) == {"run", "pull", "push", "bend"}
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
