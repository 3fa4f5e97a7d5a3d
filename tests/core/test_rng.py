"""Counted randomness: exact ranges, samplers, and independence of everything that tells draws apart."""

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


def at(seed: Any = 0, keys: int | list[int] = N, episode: int = 0, step: int = 0, device: str = "cpu") -> CounterRNG:
    key = torch.arange(keys, device=device) if isinstance(keys, int) else torch.tensor(keys, device=device)
    return CounterRNG(stream(seed, key), episode, step)


def fits(x: torch.Tensor, cdf) -> bool:
    return stats.kstest(x.flatten().double().numpy(), cdf).pvalue > 1e-3


def test_draws_are_golden():
    """Runs are reproduced across versions: a change here is a change of every result, and belongs in the changelog."""
    draw = at(seed=42, keys=[0, 7], episode=1, step=2)
    assert draw.bits("golden").tolist() == [3799619248248519194, 5921064819416050857]
    assert draw.integers("golden", 1000, (3,)).tolist() == [[194, 240, 158], [857, 856, 272]]
    assert derive_seed(42, "golden") == 7222244794797952872


def test_uniform_is_the_top_bits():
    draw = at()
    unsigned = draw.bits("u", (3,)).numpy().view(np.uint64)
    assert np.array_equal(draw.uniform("u", (3,)).numpy(), (unsigned >> np.uint64(40)).astype(np.float32) / 2**24)
    double = draw.uniform("u", (3,), torch.float64).numpy()
    assert np.array_equal(double, (unsigned >> np.uint64(11)).astype(np.float64) / 2**53)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_laws(dtype):
    draw = at()
    for shape in ((), (2,)):
        u, z = draw.uniform("u", shape, dtype), draw.normal("z", shape, dtype)
        assert u.dtype == z.dtype == dtype
        assert u.shape == z.shape == (N, *shape)
        assert (u >= 0).all()
        assert (u < 1).all()
        assert fits(u, stats.uniform.cdf)
        assert fits(z, stats.norm.cdf)


def test_normal_is_finite():
    """Only u = 1 would give log(0), and u < 1; a million draws for good measure."""
    z = at(keys=1_000_000).normal("z")
    assert torch.isfinite(z).all()
    assert z.abs().max() > 4


def test_every_bit_is_fair():
    bits = at().bits("b").numpy().view(np.uint64)
    ones = ((bits[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 4.5 * 0.5 / N**0.5


def test_integers_are_even_and_in_range():
    draw = at()
    counts = torch.bincount(draw.integers("i", 7, (3,)).flatten(), minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    high = torch.arange(1, N + 1)
    x = draw.integers("i", high)
    assert ((x >= 0) & (x < high)).all()
    assert (draw.integers("i", 1) == 0).all()
    assert (draw.integers("i", 2**63 - 1) >= 0).all()


NEIGHBOURS = {
    "key": lambda: (at(keys=list(range(N))), at(keys=list(range(1, N + 1)))),
    "far key": lambda: (at(keys=list(range(N))), at(keys=list(range(2**32, N + 2**32)))),
    "seed": lambda: (at(seed=0), at(seed=1)),
    "large seed": lambda: (at(seed=5), at(seed=5 + 2**62)),
    "episode": lambda: (at(episode=0), at(episode=1)),
    "step": lambda: (at(step=0), at(step=1)),
    "episode and step": lambda: (at(episode=1, step=0), at(episode=0, step=1)),
    "seed and episode": lambda: (at(seed=1, episode=0), at(seed=0, episode=1)),
}


@pytest.mark.parametrize("what", NEIGHBOURS)
def test_neighbours_are_independent(what):
    a, b = NEIGHBOURS[what]()
    assert_independent(a.bits("x"), b.bits("x"))


def test_purposes_and_elements_are_independent():
    draw = at()
    assert_independent(draw.bits("x"), draw.bits("y"))
    assert_independent(draw.bits(0), draw.bits(1))
    x = draw.bits("x", (2, 2))
    assert_independent(x[:, 0, 0], x[:, 0, 1])
    assert_independent(x[:, 0, 0], x[:, 1, 0])
    over_time = torch.stack([at(keys=100, step=t).bits("x") for t in range(200)])
    assert_independent(over_time[1:].flatten(), over_time[:-1].flatten())


def assert_independent(a: torch.Tensor, b: torch.Tensor) -> None:
    """Different, uncorrelated as numbers, and half of the bits in common, each one of the 64."""
    assert not (a == b).any()
    u, v = a.double().numpy(), b.double().numpy()
    n = len(u)
    assert abs(np.corrcoef(u, v)[0, 1]) < 4 / n**0.5
    differ = (a ^ b).numpy().view(np.uint64)
    flips = ((differ[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean(axis=0)
    assert np.abs(flips - 0.5).max() < 4.5 * 0.5 / n**0.5


def test_no_two_draws_of_a_long_run_are_the_same():
    draws = [
        at(seed=s, keys=32, episode=e, step=t).bits(p, (4,))
        for s in (0, 1)
        for e in (0, 1, 2)
        for t in range(50)
        for p in "ab"
    ]
    every = torch.stack(draws).flatten()
    assert len(every.unique()) == len(every)


def all_draws(draw: CounterRNG) -> list[torch.Tensor]:
    return [
        draw.bits("a", (3,)),
        draw.uniform("b"),
        draw.uniform("b", (2,), torch.float64),
        draw.normal("c", (2, 2)),
        draw.normal("c", dtype=torch.float64),
        draw.integers("d", 10),
    ]


def test_a_batch_equals_singles():
    key, seed = torch.tensor([5, 0, 2**40, 5, -3] * 7), torch.arange(35)
    episode, step = torch.arange(35) % 3, torch.arange(35) % 11
    batch = all_draws(CounterRNG(stream(seed, key), episode, step))
    for i in range(35):
        one = all_draws(CounterRNG(stream(int(seed[i]), key[i : i + 1]), int(episode[i]), step[i]))
        for whole, single in zip(batch, one, strict=True):
            assert torch.equal(whole[i : i + 1], single)


def test_draws_are_pure_and_leave_their_inputs_alone():
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
def test_devices_agree(device):
    for here, there in zip(all_draws(at()), all_draws(at(device=device)), strict=True):
        there = there.cpu()
        if here.dtype == torch.float64:  # the last bit of log and cos is the device's own
            torch.testing.assert_close(here, there, rtol=1e-13, atol=1e-15)
        elif here.dtype == torch.float32:
            torch.testing.assert_close(here, there, rtol=1.2e-7, atol=1e-14)
        else:
            assert torch.equal(here, there)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_draws_in_a_cuda_graph_follow_the_step():
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
        (lambda: at(seed=-1), r"0 <= seed < 2\*\*63, got -1"),
        (lambda: at(seed=2**63), "0 <= seed"),
        (lambda: at(seed=1.5), "a seed is an integer"),
        (
            lambda: CounterRNG(stream(0, torch.arange(2)), 0, torch.zeros(2)).state,
            "step must be int64, got torch.float32",
        ),
        (lambda: stream(0, torch.arange(2, dtype=torch.int32)), "key must be int64"),
        (lambda: at(keys=2).uniform("u", dtype=torch.float16), "float32 or torch.float64"),
        (lambda: at(keys=2).integers("i", 0), "need 1 <= high"),
    ],
)
def test_errors_name_the_cure(use, message):
    with pytest.raises(MetarlError, match=message):
        use()


def test_derived_seeds_tell_their_parts_apart():
    parts = [(), (0,), ("0",), (0, 0), (0, "a"), ("a", 0), ("0a",), (1,), ("é",), (2**80,)]
    seeds = [derive_seed(*p) for p in parts]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(np.int64(3)) == derive_seed(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        derive_seed(1.5)  # pyright: ignore[reportArgumentType]


def test_generators_are_new_and_seeded():
    assert torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "a")))
    assert not torch.equal(torch.rand(3, generator=generator(1, "a")), torch.rand(3, generator=generator(1, "b")))
    assert numpy_generator(1, "a").random() == numpy_generator(1, "a").random()


def test_purposes_hash_alike_in_every_process():
    code = (
        "import torch; from metarl.core.rng import CounterRNG, stream;"
        "print(CounterRNG(stream(1, torch.arange(2)), 0, 0).bits('x').tolist())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(at(seed=1, keys=2).bits("x").tolist())
