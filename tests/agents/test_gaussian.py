"""Compiled passes over Gaussians equal torch's operations in double precision, twice differentiated and beyond."""

import pytest
import torch

from metarl.agents import gaussian
from metarl.agents.gaussian import half_squares

needs_compiled = pytest.mark.skipif(
    not gaussian.COMPILED, reason="no C compiler that knows OpenMP was at hand when metarl was installed"
)
# Rows that divide into pieces and groups of every kind; log_std of all rows, or of each of the first axis.
SHAPES = [
    ((7, 6), (6,)), ((1, 1), (1,)), ((3, 5, 2), (1, 1, 2)), ((4, 3, 11, 6), (4, 1, 1, 6)), ((5, 17), (5, 17)),
    ((2, 2055, 3), (2, 1, 3)), ((4100, 64), (64,)),
]  # fmt: skip


def problem(shape, std_shape):
    g = torch.Generator().manual_seed(0)
    random = lambda *shape: torch.randn(*shape, generator=g)  # noqa: E731
    return random(*shape), random(*shape).requires_grad_(), (0.3 * random(*std_shape)).requires_grad_()


def derivatives(distance, x, mean, log_std):
    """q, its gradient, and the gradient of a function of that."""
    q = distance(x, mean, log_std)
    first = torch.autograd.grad((q / x.shape[-1]).tanh().sum(), (mean, log_std), create_graph=True)
    second = torch.autograd.grad((first[0].square() * x).sum() + first[1].square().sum(), (mean, log_std))
    return [q, *first, *second]


def double(*tensors):
    return [t.detach().double().requires_grad_(t.requires_grad) for t in tensors]


@needs_compiled
@pytest.mark.parametrize(("shape", "std_shape"), SHAPES)
def test_compiled_equals_torch(shape, std_shape):
    given = problem(shape, std_shape)
    assert gaussian._serve(*given)
    for ours, exact in zip(
        derivatives(half_squares, *given), derivatives(gaussian._by_torch, *double(*given)), strict=True
    ):
        scale = max(1.0, float(exact.detach().abs().max()))
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-5 * scale)


@needs_compiled
def test_derivatives_beyond_the_second():
    """In single precision by the passes and what replaces them there."""

    def third(distance, x, mean, log_std):
        last = (0.1 * distance(x, mean, log_std)).tanh().sum()
        for _ in range(2):
            gradient = torch.autograd.grad(last, (mean, log_std), create_graph=True)
            last = torch.cat([g.flatten() for g in gradient]).square().sum()
        return torch.autograd.grad(last, (mean, log_std))

    given = problem((5, 3), (3,))
    for ours, exact in zip(third(half_squares, *given), third(gaussian._by_torch, *double(*given)), strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-3, atol=1e-5)


@needs_compiled
def test_nothing_depends_on_how_many_threads_there_are(monkeypatch):
    given = problem((3, 5000, 4), (3, 1, 4))
    monkeypatch.setattr(gaussian, "WORTH_THREADS", 0)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(derivatives(half_squares, *given))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize(
    "change",
    ["double", "no numbers", "one for each row and column", "x is learned", "many", "more axes", "one for all numbers"],
)
def test_what_does_not_fit_goes_by_torch(change):
    x, mean, log_std = problem((3, 4, 2), (2,))
    if change == "double":
        x, mean, log_std = double(x, mean, log_std)
    elif change == "no numbers":
        x, mean = x[:0], mean[:0]
    elif change == "one for each row and column":
        log_std = torch.zeros(3, 4, 2)
    elif change == "more axes":
        log_std = torch.ones(1, 1, 1, 2)
    elif change == "one for all numbers":
        log_std = torch.tensor(0.5)
    elif change == "x is learned":
        x = x.requires_grad_()
    else:
        x, mean, log_std = problem((3, 65), (65,))
    assert not gaussian._serve(x, mean, log_std)
    expected = 0.5 * ((x - mean) / log_std.exp()).square().sum(-1)
    torch.testing.assert_close(half_squares(x, mean, log_std), expected)


@needs_compiled
def test_numbers_need_not_lie_in_order():
    x, mean, log_std = problem((6, 4), (4,))
    turned = x.t().contiguous().t(), mean.t().contiguous().t(), torch.stack([log_std, log_std], -1)[..., 0]
    for a, b in zip(
        derivatives(half_squares, x, mean, log_std),
        derivatives(half_squares, turned[0], turned[1], turned[2]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@needs_compiled
def test_the_loops_refuse_what_they_were_not_made_for():
    for sizes in ((1, 65, 1), (1, 0, 1), (3, 2, 2)):
        with pytest.raises(ValueError, match="1 to 64 numbers a row"):
            gaussian.gaussian_loops.squares(sizes, (0, 0, 0), 1, 0)
