"""Counter-based random numbers: exact values, ranges, distributions, and independence of draws."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from metarl.core.rng import CounterRNG, derive_seed, generator, numpy_generator, stream
from metarl.errors import MetarlError

N = 20_000
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def rng_at(
    seed: Any = 0, keys: int | list[int] = N, episode: int = 0, step: int = 0, device: str = "cpu"
) -> CounterRNG:
    key = torch.arange(keys, device=device) if isinstance(keys, int) else torch.tensor(keys, device=device)
    return CounterRNG(stream(seed, key), episode, step)


def has_distribution(x: torch.Tensor, cdf) -> bool:
    return stats.kstest(x.flatten().double().numpy(), cdf).pvalue > 1e-3


def test_draws_equal_the_golden_values():
    """A failure means that the results of all runs change: record it in the changelog."""
    draw = rng_at(seed=42, keys=[0, 7], episode=1, step=2)
    assert draw.bits("golden").tolist() == [3799619248248519194, 5921064819416050857]
    assert draw.integers("golden", 1000, (3,)).tolist() == [[194, 240, 158], [857, 856, 272]]
    assert derive_seed(42, "golden") == 7222244794797952872


def test_uniform_equals_the_top_bits():
    draw = rng_at()
    unsigned = draw.bits("u", (3,)).numpy().view(np.uint64)
    assert np.array_equal(draw.uniform("u", (3,)).numpy(), (unsigned >> np.uint64(40)).astype(np.float32) / 2**24)
    double = draw.uniform("u", (3,), torch.float64).numpy()
    assert np.array_equal(double, (unsigned >> np.uint64(11)).astype(np.float64) / 2**53)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_and_normal_draws_have_their_distributions(dtype):
    draw = rng_at()
    for shape in ((), (2,)):
        u, z = draw.uniform("u", shape, dtype), draw.normal("z", shape, dtype)
        assert u.dtype == z.dtype == dtype
        assert u.shape == z.shape == (N, *shape)
        assert (u >= 0).all()
        assert (u < 1).all()
        assert has_distribution(u, stats.uniform.cdf)
        assert has_distribution(z, stats.norm.cdf)


def test_normal_is_finite():
    """Only u = 1 would give log(0), and u < 1; draw a million numbers as a check."""
    z = rng_at(keys=1_000_000).normal("z")
    assert torch.isfinite(z).all()
    assert z.abs().max() > 4


def test_every_bit_is_set_with_probability_one_half():
    bits = rng_at().bits("b").numpy().view(np.uint64)
    ones = ((bits[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / N**0.5


def test_integers_are_uniform_and_in_range():
    draw = rng_at()
    counts = torch.bincount(draw.integers("i", 7, (3,)).flatten(), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    high = torch.arange(1, N + 1)
    x = draw.integers("i", high)
    assert ((x >= 0) & (x < high)).all()
    assert (draw.integers("i", 1) == 0).all()
    assert (draw.integers("i", 2**63 - 1) >= 0).all()


STREAM_PAIRS = {
    "key": lambda: (rng_at(keys=list(range(N))), rng_at(keys=list(range(1, N + 1)))),
    "far key": lambda: (rng_at(keys=list(range(N))), rng_at(keys=list(range(2**32, N + 2**32)))),
    "seed": lambda: (rng_at(seed=0), rng_at(seed=1)),
    "large seed": lambda: (rng_at(seed=5), rng_at(seed=5 + 2**62)),
    "episode": lambda: (rng_at(episode=0), rng_at(episode=1)),
    "step": lambda: (rng_at(step=0), rng_at(step=1)),
    "episode and step": lambda: (rng_at(episode=1, step=0), rng_at(episode=0, step=1)),
    "seed and episode": lambda: (rng_at(seed=1, episode=0), rng_at(seed=0, episode=1)),
}


@pytest.mark.parametrize("difference", STREAM_PAIRS)
def test_streams_of_different_arguments_are_independent(difference):
    a, b = STREAM_PAIRS[difference]()
    assert_independent(a.bits("x"), b.bits("x"))


def test_draws_for_different_purposes_elements_and_steps_are_independent():
    draw = rng_at()
    assert_independent(draw.bits("x"), draw.bits("y"))
    assert_independent(draw.bits(0), draw.bits(1))
    x = draw.bits("x", (2, 2))
    assert_independent(x[:, 0, 0], x[:, 0, 1])
    assert_independent(x[:, 0, 0], x[:, 1, 0])
    over_time = torch.stack([rng_at(keys=100, step=t).bits("x") for t in range(200)])
    assert_independent(over_time[1:].flatten(), over_time[:-1].flatten())


def assert_independent(a: torch.Tensor, b: torch.Tensor) -> None:
    """Check that draws differ, are uncorrelated, and agree in each of the 64 bits with probability one half."""
    assert not (a == b).any()
    u, v = a.double().numpy(), b.double().numpy()
    n = len(u)
    assert abs(np.corrcoef(u, v)[0, 1]) < 4 / n**0.5
    differ = (a ^ b).numpy().view(np.uint64)
    flips = ((differ[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert np.abs(flips - 0.5).max() < 4.5 * 0.5 / n**0.5


def test_all_draws_of_a_long_run_are_different():
    draws = [
        rng_at(seed=s, keys=32, episode=e, step=t).bits(p, (4,))
        for s in (0, 1)
        for e in (0, 1, 2)
        for t in range(50)
        for p in "ab"
    ]
    bits = torch.stack(draws).flatten()
    assert len(bits.unique()) == len(bits)


def all_draws(draw: CounterRNG) -> list[torch.Tensor]:
    return [
        draw.bits("a", (3,)),
        draw.uniform("b"),
        draw.uniform("b", (2,), torch.float64),
        draw.normal("c", (2, 2)),
        draw.normal("c", dtype=torch.float64),
        draw.integers("d", 10),
    ]


def test_batch_equals_single_draws():
    key, seed = torch.tensor([5, 0, 2**40, 5, -3] * 7), torch.arange(35)
    episode, step = torch.arange(35) % 3, torch.arange(35) % 11
    batch = all_draws(CounterRNG(stream(seed, key), episode, step))
    for i in range(35):
        one = all_draws(CounterRNG(stream(int(seed[i]), key[i : i + 1]), int(episode[i]), step[i]))
        for whole, single in zip(batch, one, strict=True):
            assert torch.equal(whole[i : i + 1], single)


def test_draws_are_repeatable_and_do_not_overwrite_their_inputs():
    key, step = torch.arange(5), torch.arange(5)
    streams = stream(0, key)
    before = streams.clone()
    draw = CounterRNG(streams, 0, step)
    for a, b in zip(all_draws(draw), all_draws(draw), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(streams, before)
    assert torch.equal(key, torch.arange(5))
    assert torch.equal(step, torch.arange(5))


@pytest.mark.parametrize("device", DEVICES)
def test_draws_are_equal_on_all_devices(device):
    for on_cpu, on_device in zip(all_draws(rng_at()), all_draws(rng_at(device=device)), strict=True):
        on_device = on_device.cpu()
        if on_cpu.dtype == torch.float64:  # the last bit of log and cos depends on the device
            torch.testing.assert_close(on_cpu, on_device, rtol=1e-13, atol=1e-15)
        elif on_cpu.dtype == torch.float32:
            torch.testing.assert_close(on_cpu, on_device, rtol=1.2e-7, atol=1e-14)
        else:
            assert torch.equal(on_cpu, on_device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_draws_in_a_cuda_graph_change_with_the_step():
    streams, step = stream(0, torch.arange(64, device="cuda")), torch.zeros(64, dtype=torch.int64, device="cuda")
    all_draws(CounterRNG(streams, 0, step))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = all_draws(CounterRNG(streams, 0, step))
    for t in range(3):
        step.fill_(t)
        graph.replay()
        for a, b in zip(captured, all_draws(CounterRNG(streams, 0, t)), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: rng_at(seed=-1), r"0 <= seed < 2\*\*63, got -1"),
        (lambda: rng_at(seed=2**63), "0 <= seed"),
        (lambda: rng_at(seed=1.5), "a seed is an integer"),
        (
            lambda: CounterRNG(stream(0, torch.arange(2)), 0, torch.zeros(2)).state,
            "step must be int64, got torch.float32",
        ),
        (lambda: stream(0, torch.arange(2, dtype=torch.int32)), "key must be int64"),
        (lambda: rng_at(keys=2).uniform("u", dtype=torch.float16), "float32 or torch.float64"),
        (lambda: rng_at(keys=2).integers("i", 0), "need 1 <= high"),
    ],
)
def test_invalid_arguments_raise_with_the_cure(use, message):
    with pytest.raises(MetarlError, match=message):
        use()


def test_derived_seeds_differ_for_different_parts():
    parts = [(), (0,), ("0",), (0, 0), (0, "a"), ("a", 0), ("0a",), (1,), ("é",), (2**80,)]
    seeds = [derive_seed(*p) for p in parts]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(np.int64(3)) == derive_seed(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        derive_seed(1.5)  # pyright: ignore[reportArgumentType]


def test_generators_of_equal_parts_are_equal():
    assert torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "a")))
    assert not torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "b")))
    assert numpy_generator(1, "a").random() == numpy_generator(1, "a").random()


def test_draws_are_equal_in_another_process():
    code = (
        "import torch; from metarl.core.rng import CounterRNG, stream;"
        "print(CounterRNG(stream(1, torch.arange(2)), 0, 0).bits('x').tolist())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(rng_at(seed=1, keys=2).bits("x").tolist())
