"""The compiled loops equal the loops of torch operations, for all divisions of rows and columns into tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from metarl.agents.networks import gru
from metarl.agents.networks.recurrent import Recurrent

compiled = pytest.mark.skipif(not gru.COMPILED, reason="metarl was installed without a C compiler")
SHAPES = [(3, batch, hidden) for batch in (1, 3, 4, 7, 8, 17) for hidden in (8, 16, 24, 32, 40, 64, 128)]


def forwards(steps: int, batch: int, hidden: int) -> list[Tensor]:
    torch.manual_seed(0)
    us, gates = torch.rand(steps + 1, batch, hidden), torch.randn(steps, batch, 4 * hidden)
    gru.forwards(us, gates, gru.pack(torch.randn(hidden, 3 * hidden) / hidden**0.5))
    return [us, gates]


def backwards(steps: int, batch: int, hidden: int) -> list[Tensor]:
    us, gates = forwards(steps, batch, hidden)
    dhs = torch.randn(steps + 1, batch, hidden)
    w_hh = gru.pack(torch.randn(3 * hidden, hidden) / hidden**0.5)
    return [gru.backwards(dhs, 2 * us[:-1] - 1, gates, w_hh), dhs]


@compiled
@pytest.mark.parametrize(("steps", "batch", "hidden"), SHAPES)
@pytest.mark.parametrize("loop", [forwards, backwards])
def test_compiled_loops_equal_torch(loop, steps: int, batch: int, hidden: int, monkeypatch: pytest.MonkeyPatch) -> None:
    results = loop(steps, batch, hidden)
    monkeypatch.setattr(gru, "gru_loops", None)
    torch.testing.assert_close(results, loop(steps, batch, hidden), rtol=2e-5, atol=2e-5)


@compiled
def test_sigmoid_is_accurate_for_all_numbers() -> None:
    """Large and infinite inputs saturate, and NaN stays NaN."""
    far = torch.tensor([torch.inf, -torch.inf, 1e30, -1e30, torch.nan, 0.0, 0.0, 0.0])
    x = torch.cat((torch.linspace(-80, 80, 2**13), far))
    gates = torch.zeros(len(x) // 8, 1, 4 * 8)
    gates[..., 8:16] = x.view(-1, 1, 8)
    gru.forwards(torch.zeros(len(gates) + 1, 1, 8), gates, torch.zeros(8, 3 * 8))
    torch.testing.assert_close(
        gates[..., 8:16].flatten(), x.double().sigmoid().float(), rtol=1e-6, atol=1e-37, equal_nan=True
    )


@compiled
def test_layer_calls_the_compiled_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer gives the same outputs and gradients, up to rounding, with and without the compiled loops."""
    torch.manual_seed(0)
    net, x, state = Recurrent("gru", 5, 64), torch.randn(300, 7, 5), torch.randn(7, 64)
    calls, results = [], []
    loops = gru.gru_loops
    for present in (loops, None):
        monkeypatch.setattr(gru, "gru_loops", present)
        out, _ = net.sequence(x, state)
        calls.append(out)
        results.append([out, *torch.autograd.grad(out.square().sum(), list(net.parameters()))])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-3)
    assert not torch.equal(*calls), "outputs are bit-equal: the compiled loops were not called"


@compiled
@pytest.mark.parametrize("hidden", [8, 40, 64])
@pytest.mark.parametrize("inputs", [1, 5, 16])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_compiled_steps_equal_torch(batch: int, inputs: int, hidden: int) -> None:
    torch.manual_seed(0)
    net, x = Recurrent("gru", inputs, hidden), torch.randn(inputs, batch).t()  # not contiguous
    state = torch.rand(batch, hidden) * 2 - 1
    expected = torch.gru_cell(x, state, *net.rnn.all_weights[0])
    with torch.no_grad():
        torch.testing.assert_close(net.stepper()(x, state)[0], expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(net.stepper()(x, state)[0], expected), "with gradients enabled, the step is torch.gru_cell"
