"""The compiled passes and torch's operations give the same bits, and each serves where it must."""

import pytest
import torch
from tape import Tape
from torch import Tensor

from metarl import hashing
from metarl.counted import Counted, stream
from metarl.hashing import mix

GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
FEW = 256  # numbers that the passes take at a time

compiled = pytest.mark.skipif(not hashing.COMPILED, reason="no C compiler was at hand when metarl was installed")


def test_mix_is_split_mix_64():
    """Vigna's reference implementation, seed 1234567."""
    state = 1234567 + torch.arange(1, 6) * GAMMA
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert [x % 2**64 for x in mix(state).tolist()] == expected


def draws(batch: int, shape: tuple[int, ...]) -> list[Tensor]:
    key, episode = torch.arange(batch) * 2**40 - 5, torch.arange(batch) % 4
    draw = Counted(stream(3, key), episode, torch.tensor(7))
    floats = [draw.uniform, draw.normal]
    drawn = [law("x", shape, dtype) for law in floats for dtype in (torch.float32, torch.float64)]
    highs = 1, 2, 7, 1024, 2**62, 2**63 - 1
    return [draw.state, draw.bits(0, shape), *drawn, *(draw.integers("i", high, shape) for high in highs)]


@compiled
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 5), (FEW,), (0,)])
@pytest.mark.parametrize("batch", [0, 1, 2, FEW - 1, FEW, FEW + 1, 1000])
def test_compiled_equals_torch(batch: int, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    ours = draws(batch, shape)
    monkeypatch.setattr(hashing, "hash_loops", None)
    for one, other in zip(ours, draws(batch, shape), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


@compiled
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
def test_parts_of_any_layout(part: int | Tensor) -> None:
    state = torch.arange(12)[1::2] * 99
    each = part.expand(6).tolist() if isinstance(part, Tensor) else [part] * 6
    expected = [mix(s + torch.tensor(p) * GAMMA) for s, p in zip(state, each, strict=True)]
    assert torch.equal(hashing.absorb(state, part, "part"), torch.stack(expected))
    assert torch.equal(hashing.absorb(state.clone(), part, "part"), torch.stack(expected))


@compiled
def test_whoever_notes_operations_down_sees_them():
    """A recorded step would otherwise leave out its random numbers."""
    key = torch.arange(3)
    with Tape() as tape:
        drawn = Counted(stream(0, key), 0, key).uniform("x")
    before = drawn.clone()
    key += 1
    tape.replay()
    assert not (drawn == before).any()
    assert torch.equal(drawn, Counted(stream(0, key), 0, key).uniform("x"))


@compiled
def test_transformed_functions_see_operations():
    state, part = torch.arange(6), torch.arange(6) * 3
    plain = hashing.bits(hashing.absorb(state, part, "part"), 7, ())
    mapped = torch.vmap(lambda s, p: hashing.bits(hashing.absorb(s, p, "part"), 7, ()))(state[:, None], part[:, None])
    assert torch.equal(mapped[:, 0], plain)
    functional = torch.func.functionalize(lambda s: hashing.bits(s, 7, (2,)))(state)
    assert torch.equal(functional, hashing.bits(state, 7, (2,)))


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(RuntimeError, match="size"):
        hashing.absorb(torch.arange(3), torch.arange(4), "part")
