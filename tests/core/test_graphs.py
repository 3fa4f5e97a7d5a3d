"""Steps recorded as graphs, on a machine without a GPU: a tape that records torch's operations and does them again in
the same memory, as a CUDA graph would."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

import metarl
from metarl import registry
from metarl.environment import Environment
from metarl.errors import MetarlError
from metarl.graphs import AS_THEY_STAND, Held, Repeated

B = 4


class Tape(TorchDispatchMode):
    """Every operation with the tensors it read and made."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[Callable, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        aliases = [r.alias_info for r in func._schema.returns if r.alias_info]
        if not aliases or any(alias.is_write for alias in aliases):  # a view stays a view of the same memory
            self.entries.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for func, args, kwargs, out in self.entries:
            for place, value in zip(_tensors(out), _tensors(func(*args, **kwargs)), strict=True):
                if place is not value:
                    place.copy_(value)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def recorder(env: Environment) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Records as a GPU does: nothing happens but that it is noted down. The physics is one operation of it."""
    physics = getattr(env.simulation, "physics", None)
    tapes: list[Tape] = []

    def noted(function: Callable) -> Callable:
        def call(*args: Any) -> Any:
            if not tapes:
                return function(*args)
            with _disable_current_modes():
                out = function(*args)
            out = out.clone() if isinstance(out, Tensor) else out
            tapes[-1].entries.append((function, args, {}, out))
            return out

        return call

    if physics is not None:
        for name in ("step", "reset", "refresh"):
            setattr(physics, name, noted(getattr(physics, name)))

    def record(work: Callable[[], None]) -> Callable[[], None]:
        live = [t for owner in _owners(env, physics) for t in _tensors(list(vars(owner).values()))]
        before = [t.clone() for t in live]
        with Tape() as tape:
            tapes.append(tape)
            work()
            tapes.pop()
        for tensor, value in zip(live, before, strict=True):
            tensor.copy_(value)
        return tape.replay

    return record


def _owners(env: Environment, physics: Any) -> list[object]:
    from metarl.graphs import _parts

    return [*_parts(env), *([physics] if physics is not None else [])]


def actions(env: Environment, steps: int) -> Tensor:
    g = torch.Generator().manual_seed(0)
    if isinstance(env.action_space, gym.spaces.Discrete):
        return torch.randint(int(env.action_space.n), (steps, B), generator=g)
    return torch.rand(steps, B, *(env.action_space.shape or ()), generator=g) * 2 - 1


def compare(name: str, steps: int) -> None:
    """Restarts of some at every step, new tasks and seeds mid-run."""
    family = replace(metarl.get(name), horizon=7)
    plain, graph = Environment(family, B), Environment(family, B)
    graph.repeat(recorder(graph))
    for env in (plain, graph):
        env.assign(family.tasks("train", B))
        env.seed(0)
        env.reset()
    for t, action in enumerate(actions(plain, steps)):
        moved = [env.step(action, env.time < 6) for env in (plain, graph)]
        for x, y in zip(*moved, strict=True):
            assert torch.equal(x, y), t
        assert plain.reward_terms.keys() == graph.reward_terms.keys()
        assert all(torch.equal(x, graph.reward_terms[n]) for n, x in plain.reward_terms.items())
        over = moved[0].terminated | moved[0].truncated | (plain.time >= 6)
        assert torch.equal(plain.reset(over), graph.reset(over))
        if t == steps // 2:
            some = torch.tensor([True, False, True, False])
            for env in (plain, graph):
                env.assign(family.tasks("train", B, seed=1), some)
                env.seed(5, mask=some)
                env.reset(some)


QUICK = ["HalfCheetahBreakdown", "HalfCheetahDelay", "GridNavi", "Bandit5N10", "Catch"]


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in registry.names("distribution")]
)
def test_a_recorded_world_lives_as_it_would_have(name):
    compare(name, 14)


class Counter:
    def __init__(self) -> None:
        self.first, self.last = torch.zeros(2), torch.ones(2)
        self.limit = 10
        self.calls = 0

    def swap(self, x: Tensor) -> Tensor:
        """What one name held, the other holds then."""
        self.first, self.last = self.last, self.first + x
        return self.first

    def count(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls

    def lasting(self, x: Tensor) -> Tensor:
        self.last = self.last + x
        return self.last

    def bounded(self, x: Tensor) -> Tensor:
        self.first = (self.first + x).clamp(max=self.limit)
        return self.first


def again(work: Callable[[], None]) -> Callable[[], None]:
    with Tape() as tape:
        work()
    return tape.replay


def test_names_that_change_places():
    plain, ours = Counter(), Counter()
    swap = Repeated(Held(ours), ours.swap, again)
    kept = []
    for t in range(8):
        x = torch.full((2,), float(t))
        if t == AS_THEY_STAND:  # this tape is played while it is recorded
            before = ours.first.clone(), ours.last.clone()
            swap(x)
            ours.first, ours.last = before
            kept.append((plain.swap(x), swap(x)))
            continue
        kept.append((plain.swap(x), swap(x)))
    for expected, value in kept:  # and nothing that was returned is written again
        assert torch.equal(expected, value)


def test_a_plain_value_that_changes_in_a_step_is_refused():
    counter = Counter()
    count = Repeated(Held(counter), counter.count, again)
    for _ in range(AS_THEY_STAND):
        count(torch.zeros(2))
    with pytest.raises(MetarlError, match=r"Counter.count changes .* plain Python value"):
        count(torch.zeros(2))


def test_a_shape_that_changes_between_steps_is_heeded():
    """By each of two graphs; the first name keeps its value, bound anew too, though the second no longer fits."""
    counter, plain = Counter(), Counter()
    held = Held(counter)
    ours = [Repeated(held, f, lambda work: work) for f in (counter.bounded, counter.lasting)]
    for t in range(12):
        if t == 7:
            for c in (counter, plain):
                c.first, c.last = c.first - 3, torch.arange(3.0)
        for f, g in zip(ours, (plain.bounded, plain.lasting), strict=True):
            assert torch.equal(f(torch.ones(1)), g(torch.ones(1)))


def test_a_plain_value_that_changes_between_steps_is_heeded():
    counter = Counter()
    bounded = Repeated(Held(counter), counter.bounded, lambda work: work)
    for _ in range(8):
        assert bounded(torch.full((2,), 4.0)).max() <= 10
    counter.limit = 5
    assert bounded(torch.full((2,), 4.0)).tolist() == [5, 5]
