"""SplitMix64 against the reference implementation, for parts of any layout, captured and transformed."""

import pytest
import torch
from tape import Tape
from torch import Tensor

from metarl.core.rng import CounterRNG, absorb, mix, random_bits, stream

GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64


def test_mix_equals_splitmix64():
    """Compare with Vigna's reference implementation for the seed 1234567."""
    state = 1234567 + torch.arange(1, 6) * GAMMA
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [x % 2**64 for x in mix(state).tolist()] == expected


@pytest.mark.parametrize(
    "part",
    [
        torch.arange(12)[::2],
        torch.tensor([4]).expand(6),
        torch.tensor([4]),
        torch.tensor(4),
        4,
    ],
    ids=["every other", "expanded", "one", "a number", "an int"],
)
def test_absorb_accepts_parts_of_any_layout(part: int | Tensor) -> None:
    state = torch.arange(12)[1::2] * 99
    each = part.expand(6).tolist() if isinstance(part, Tensor) else [part] * 6
    expected = [mix(s + torch.tensor(p) * GAMMA) for s, p in zip(state, each, strict=True)]
    assert torch.equal(absorb(state, part, "part"), torch.stack(expected))
    assert torch.equal(absorb(state.clone(), part, "part"), torch.stack(expected))


def test_draws_are_captured_by_a_dispatch_mode():
    """Otherwise a captured step would repeat the same random numbers."""
    key = torch.arange(3)
    with Tape() as tape:
        drawn = CounterRNG(stream(0, key), 0, key).uniform("x")
    before = drawn.clone()
    key += 1
    tape.replay()
    assert not (drawn == before).any()
    assert torch.equal(drawn, CounterRNG(stream(0, key), 0, key).uniform("x"))


def test_draws_support_function_transforms():
    state, part = torch.arange(6), torch.arange(6) * 3
    plain = random_bits(absorb(state, part, "part"), 7, ())
    mapped = torch.vmap(lambda s, p: random_bits(absorb(s, p, "part"), 7, ()))(state[:, None], part[:, None])
    assert torch.equal(mapped[:, 0], plain)
    functional = torch.func.functionalize(lambda s: random_bits(s, 7, (2,)))(state)
    assert torch.equal(functional, random_bits(state, 7, (2,)))


def test_parts_of_the_wrong_size_raise():
    with pytest.raises(RuntimeError, match="size"):
        absorb(torch.arange(3), torch.arange(4), "part")
