"""Steps captured as graphs, on a machine without a GPU: a tape stands in (tests/tape.py)."""

import warnings
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from tape import again, recorder
from torch import Tensor

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.runtime.cuda_graphs import EAGER_CALLS, GraphedCallable, StaticTensors

B = 4


def actions(env: Environment, steps: int) -> Tensor:
    g = torch.Generator().manual_seed(0)
    if isinstance(env.action_space, gym.spaces.Discrete):
        return torch.randint(int(env.action_space.n), (steps, B), generator=g)
    return torch.rand(steps, B, *(env.action_space.shape or ()), generator=g) * 2 - 1


def compare(name: str, steps: int) -> None:
    """Restarts of some at every step, new tasks and seeds mid-run."""
    family = replace(metarl.get(name), horizon=7)
    plain, graph = Environment(family, B), Environment(family, B)
    graph.use_graphs(recorder(graph))
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
def test_a_captured_world_steps_as_an_eager_one(name):
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

    def late(self, x: Tensor) -> Tensor:
        return self.new + x  # type: ignore[attr-defined]

    def bounded(self, x: Tensor) -> Tensor:
        self.first = (self.first + x).clamp(max=self.limit)
        return self.first


def test_names_that_swap_tensors():
    plain, ours = Counter(), Counter()
    swap = GraphedCallable(StaticTensors(ours), ours.swap, again)
    kept = []
    for t in range(8):
        x = torch.full((2,), float(t))
        if t == EAGER_CALLS:  # this tape is played while it is captured
            before = ours.first.clone(), ours.last.clone()
            swap(x)
            ours.first, ours.last = before
            kept.append((plain.swap(x), swap(x)))
            continue
        kept.append((plain.swap(x), swap(x)))
    for expected, value in kept:  # and nothing that was returned is written again
        assert torch.equal(expected, value)


def test_a_name_bound_after_the_first_capture_gets_a_buffer():
    plain, ours = Counter(), Counter()
    held = StaticTensors(ours)
    count, late = (GraphedCallable(held, f, lambda work: work) for f in (ours.bounded, ours.late))
    for _ in range(6):
        assert torch.equal(count(torch.ones(2)), plain.bounded(torch.ones(2)))
    for t in range(6):
        plain.new = ours.new = torch.full((2,), float(t))  # type: ignore[attr-defined]
        assert torch.equal(late(torch.ones(2)), plain.late(torch.ones(2)))
        assert torch.equal(count(torch.ones(2)), plain.bounded(torch.ones(2)))
        assert t < EAGER_CALLS or any(buffer.name == "new" for buffer in held.buffers)
    assert held.generation == 2


def test_a_plain_value_that_changes_in_a_step_is_not_captured():
    """A graph would add the same number again and again."""
    counter, plain = Counter(), Counter()
    count = GraphedCallable(StaticTensors(counter), counter.count, again)
    for _ in range(EAGER_CALLS):
        assert torch.equal(count(torch.zeros(2)), plain.count(torch.zeros(2)))
    with pytest.warns(UserWarning, match=r"Counter.count could not be captured .* plain Python value"):
        count(torch.zeros(2))
    plain.count(torch.zeros(2))
    plain.count(torch.zeros(2))  # the capture that broke off ran it once
    assert torch.equal(count(torch.zeros(2)), plain.count(torch.zeros(2)))


def test_a_failed_capture_leaves_the_tensors_as_they_were():
    counter, plain = Counter(), Counter()

    def failing(work):
        raise RuntimeError("no memory for a graph")

    swap = GraphedCallable(StaticTensors(counter), counter.swap, failing)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for t in range(6):
            x = torch.full((2,), float(t))
            assert torch.equal(swap(x), plain.swap(x))
    assert len(warned) == 1
    assert "no memory for a graph" in str(warned[0].message)


def test_a_shape_that_changes_between_steps_is_heeded():
    """By each of two graphs; the first name keeps its value, bound anew too, though the second no longer fits."""
    counter, plain = Counter(), Counter()
    held = StaticTensors(counter)
    ours = [GraphedCallable(held, f, lambda work: work) for f in (counter.bounded, counter.lasting)]
    for t in range(12):
        if t == 7:
            for c in (counter, plain):
                c.first, c.last = c.first - 3, torch.arange(3.0)
        for f, g in zip(ours, (plain.bounded, plain.lasting), strict=True):
            assert torch.equal(f(torch.ones(1)), g(torch.ones(1)))


def test_a_plain_value_that_changes_between_steps_is_heeded():
    counter = Counter()
    bounded = GraphedCallable(StaticTensors(counter), counter.bounded, lambda work: work)
    for _ in range(8):
        assert bounded(torch.full((2,), 4.0)).max() <= 10
    counter.limit = 5
    assert bounded(torch.full((2,), 4.0)).tolist() == [5, 5]
