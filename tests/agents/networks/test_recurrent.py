"""The recurrent layers equal torch.nn.GRU and torch.nn.LSTM in outputs and gradients, and repeat bit for bit."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from metarl.agents.networks import gru
from metarl.agents.networks.recurrent import Recurrent

Kind = Literal["gru", "lstm"]
KINDS: list[Kind] = ["gru", "lstm"]
INPUT, HIDDEN = 5, 6


def make(kind: Kind, length: int, batch: int, dtype: torch.dtype = torch.float64) -> tuple[Recurrent, Tensor, Tensor]:
    torch.manual_seed(0)
    net = Recurrent(kind, INPUT, HIDDEN).to(dtype)
    x = torch.randn(length, batch, INPUT, dtype=dtype, requires_grad=True)
    state = torch.randn(batch, net.state_size, dtype=dtype, requires_grad=True)
    return net, x, state


def gradients(net: Recurrent, x: Tensor, state: Tensor, out: Tensor, final: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of a loss with a different weight for each number of the output and the final state."""
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(t.shape, dtype=torch.float64, generator=generator).to(t) for t in (out, final)]
    loss = (out * weights[0]).sum() + (final * weights[1]).sum()
    return torch.autograd.grad(loss, [x, state, *net.parameters()])


def reference(net: Recurrent, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Return the results of torch's layer, with the state in the layout of Recurrent."""
    if net.kind == "gru":
        out, h = net.rnn(x, state[None])
        return out, h[0]
    out, (h, c) = net.rnn(x, tuple(t.contiguous()[None] for t in state.chunk(2, -1)))
    return out, torch.cat((h[0], c[0]), -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "batch"), [(1, 1), (1, 4), (7, 1), (23, 4)])
@pytest.mark.parametrize("rows", [4, 10, 1024])  # chunks of one step, of a few with a remainder, and of all steps
def test_equals_torch(kind: Kind, length: int, batch: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gru, "_ROWS", rows)
    net, x, state = make(kind, length, batch)
    results, expected = net.sequence(x, state), reference(net, x, state)
    torch.testing.assert_close(results, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        gradients(net, x, state, *results), gradients(net, x, state, *expected), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equals_torch_in_single_precision(kind: Kind) -> None:
    net, x, state = make(kind, 100, 16, torch.float32)
    exact, x64, state64 = make(kind, 100, 16)
    exact.load_state_dict(net.state_dict())
    x64.data.copy_(x.data)
    state64.data.copy_(state.data)
    results, expected = net.sequence(x, state), reference(exact, x64, state64)
    torch.testing.assert_close(results, expected, rtol=1e-5, atol=1e-6, check_dtype=False)
    torch.testing.assert_close(
        gradients(net, x, state, *results),
        gradients(exact, x64, state64, *expected),
        rtol=1e-4, atol=1e-4, check_dtype=False,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_gradcheck(kind: Kind) -> None:
    net, x, state = make(kind, 4, 2)
    # gradcheck changes the numbers of its inputs in place, so the parameters can be among them
    assert torch.autograd.gradcheck(lambda x, state, *parameters: net.sequence(x, state), (x, state, *net.parameters()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_equal_sequence(kind: Kind, dtype: torch.dtype) -> None:
    net, x, state = make(kind, 30, 3, dtype)
    out, final = net.sequence(x, state)
    outs = []
    with torch.no_grad():
        step = net.stepper()
        for x_t in x:
            y, state = step(x_t, state)
            outs.append(y)
    rtol, atol = (1e-5, 1e-6) if dtype == torch.float32 else (1e-12, 1e-14)
    torch.testing.assert_close((torch.stack(outs), state), (out.detach(), final.detach()), rtol=rtol, atol=atol)


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_equal_the_whole_sequence(kind: Kind) -> None:
    """The final state of the first half continues the sequence, and gradients flow back through it."""
    net, x, state = make(kind, 12, 3)
    whole, final = net.sequence(x, state)
    first, between = net.sequence(x[:5], state)
    second, end = net.sequence(x[5:], between)
    halves = torch.cat((first, second))
    torch.testing.assert_close((halves, end), (whole, final), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        gradients(net, x, state, halves, end), gradients(net, x, state, whole, final), rtol=1e-11, atol=1e-13
    )


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_may_lack_gradients_and_be_batch_first(kind: Kind) -> None:
    """Inputs may be batch first and without gradient; the gradient of a sum is an expanded tensor without storage."""
    net, x, state = make(kind, 9, 4)
    batch_first = x.detach().transpose(0, 1).contiguous().transpose(0, 1)
    parameters = list(net.parameters())
    grads = [
        torch.autograd.grad(net.sequence(inputs, start)[0].sum(), parameters)
        for inputs, start in ((batch_first, state.detach()), (x, state))
    ]
    torch.testing.assert_close(*grads, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_are_bit_equal(kind: Kind) -> None:
    net, x, state = make(kind, 100, 16, torch.float32)
    runs = []
    for _ in range(2):
        results = net.sequence(x, state)
        runs.append([*results, *gradients(net, x, state, *results)])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_second_derivatives_of_a_gru_raise() -> None:
    net, x, state = make("gru", 3, 2)
    (dx,) = torch.autograd.grad(net.sequence(x, state)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        dx.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_initial_state_is_zero(kind: Kind) -> None:
    net = Recurrent(kind, INPUT, HIDDEN).double()
    assert net.state_size == {"gru": HIDDEN, "lstm": 2 * HIDDEN}[kind]
    assert torch.equal(net.initial_state(3), torch.zeros(3, net.state_size, dtype=torch.float64))


def test_unknown_kind_raises() -> None:
    with pytest.raises(ValueError, match="'gru' or 'lstm'"):
        Recurrent("rnn", INPUT, HIDDEN)  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_equals_cpu(kind: Kind) -> None:
    net, x, state = make(kind, 20, 4)
    results = net.sequence(x, state)
    grads = gradients(net, x, state, *results)
    net.cuda()
    x, state = (t.detach().cuda().requires_grad_() for t in (x, state))
    on_gpu = net.sequence(x, state)
    torch.testing.assert_close([t.cpu() for t in on_gpu], list(results), rtol=1e-10, atol=1e-12)
    grads_on_gpu = [g.cpu() for g in gradients(net, x, state, *on_gpu)]
    torch.testing.assert_close(grads_on_gpu, list(grads), rtol=1e-10, atol=1e-12)
