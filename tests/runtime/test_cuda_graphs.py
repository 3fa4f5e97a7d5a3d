"""Captured steps equal eager steps; a tape replaces the CUDA graph, so that no GPU is needed (tests/tape.py)."""

import warnings
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from tape import capture_on_tape, capture_while_running
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


def assert_captured_equals_eager(name: str, steps: int) -> None:
    """Compare steps with partial resets at every step, and with new tasks and seeds halfway."""
    distribution = replace(metarl.get(name), horizon=7)
    plain, graph = Environment(distribution, B), Environment(distribution, B)
    graph.use_graphs(capture_on_tape(graph))
    for env in (plain, graph):
        env.assign(distribution.tasks("train", B))
        env.seed(0)
        env.reset()
    for t, action in enumerate(actions(plain, steps)):
        results = [env.step(action, env.time < 6) for env in (plain, graph)]
        for x, y in zip(*results, strict=True):
            assert torch.equal(x, y), t
        assert plain.reward_terms.keys() == graph.reward_terms.keys()
        assert all(torch.equal(x, graph.reward_terms[n]) for n, x in plain.reward_terms.items())
        ended = results[0].terminated | results[0].truncated | (plain.time >= 6)
        assert torch.equal(plain.reset(ended), graph.reset(ended))
        if t == steps // 2:
            mask = torch.tensor([True, False, True, False])
            for env in (plain, graph):
                env.assign(distribution.tasks("train", B, seed=1), mask)
                env.seed(5, mask=mask)
                env.reset(mask)


QUICK = ["HalfCheetahBreakdown", "HalfCheetahDelay", "GridNavi", "Bandit5N10", "Catch"]


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in registry.names("distribution")]
)
def test_captured_steps_equal_eager_steps(name):
    assert_captured_equals_eager(name, 14)


class Counter:
    def __init__(self) -> None:
        self.first, self.last = torch.zeros(2), torch.ones(2)
        self.limit = 10
        self.calls = 0

    def swap(self, x: Tensor) -> Tensor:
        """Exchange the tensors of two attributes, and add x to one of them."""
        self.first, self.last = self.last, self.first + x
        return self.first

    def count(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls

    def accumulate(self, x: Tensor) -> Tensor:
        self.last = self.last + x
        return self.last

    def add_new(self, x: Tensor) -> Tensor:
        return self.new + x  # type: ignore[attr-defined]

    def bounded(self, x: Tensor) -> Tensor:
        self.first = (self.first + x).clamp(max=self.limit)
        return self.first


def test_attributes_that_exchange_tensors_are_captured():
    plain, ours = Counter(), Counter()
    swap = GraphedCallable(StaticTensors(ours), ours.swap, capture_while_running)
    kept = []
    for t in range(8):
        x = torch.full((2,), float(t))
        if t == EAGER_CALLS:  # the capture also executes the function
            before = ours.first.clone(), ours.last.clone()
            swap(x)
            ours.first, ours.last = before
            kept.append((plain.swap(x), swap(x)))
            continue
        kept.append((plain.swap(x), swap(x)))
    for expected, value in kept:  # returned tensors are not overwritten
        assert torch.equal(expected, value)


def test_attribute_set_after_the_first_capture_gets_a_buffer():
    plain, ours = Counter(), Counter()
    statics = StaticTensors(ours)
    bounded, add_new = (GraphedCallable(statics, f, lambda work: work) for f in (ours.bounded, ours.add_new))
    for _ in range(6):
        assert torch.equal(bounded(torch.ones(2)), plain.bounded(torch.ones(2)))
    for t in range(6):
        plain.new = ours.new = torch.full((2,), float(t))  # type: ignore[attr-defined]
        assert torch.equal(add_new(torch.ones(2)), plain.add_new(torch.ones(2)))
        assert torch.equal(bounded(torch.ones(2)), plain.bounded(torch.ones(2)))
        assert t < EAGER_CALLS or any(buffer.name == "new" for buffer in statics.buffers)
    assert statics.generation == 2


def test_function_that_changes_a_plain_value_is_not_captured():
    """A graph would add the same number in every replay."""
    counter, plain = Counter(), Counter()
    count = GraphedCallable(StaticTensors(counter), counter.count, capture_while_running)
    for _ in range(EAGER_CALLS):
        assert torch.equal(count(torch.zeros(2)), plain.count(torch.zeros(2)))
    with pytest.warns(UserWarning, match=r"Counter.count could not be captured .* plain Python value"):
        count(torch.zeros(2))
    plain.count(torch.zeros(2))
    plain.count(torch.zeros(2))  # the failed capture called the function once
    assert torch.equal(count(torch.zeros(2)), plain.count(torch.zeros(2)))


def test_failed_capture_restores_the_tensors():
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


def test_shape_change_between_steps_causes_a_new_capture():
    """Two graphs share the buffers. The new value of `first` is kept, although the shape of `last` has changed."""
    counter, plain = Counter(), Counter()
    statics = StaticTensors(counter)
    ours = [GraphedCallable(statics, f, lambda work: work) for f in (counter.bounded, counter.accumulate)]
    for t in range(12):
        if t == 7:
            for c in (counter, plain):
                c.first, c.last = c.first - 3, torch.arange(3.0)
        for f, g in zip(ours, (plain.bounded, plain.accumulate), strict=True):
            assert torch.equal(f(torch.ones(1)), g(torch.ones(1)))


def test_plain_value_change_between_steps_causes_a_new_capture():
    counter = Counter()
    bounded = GraphedCallable(StaticTensors(counter), counter.bounded, lambda work: work)
    for _ in range(8):
        assert bounded(torch.full((2,), 4.0)).max() <= 10
    counter.limit = 5
    assert bounded(torch.full((2,), 4.0)).tolist() == [5, 5]
