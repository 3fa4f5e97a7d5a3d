"""Splits: they share no task, finite distributions have exact fractions, and ood lies outside the training support."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metarl
from metarl.errors import MetarlError
from metarl.tasks import splits
from metarl.tasks.samplers.values import round_to_float32


def make_distribution(parameters, **settings) -> metarl.TaskDistribution:
    return metarl.TaskDistribution("TestDistribution", "HalfCheetah", parameters, goal="velocity", **settings)


def rows(tasks: metarl.TaskSet) -> list[tuple]:
    return list(zip(*(values.tolist() for values in tasks.params.values()), strict=True))


NAMES = ["velocity", "mass", "friction", "gravity"]
continuous = st.builds(lambda low, width: metarl.Uniform(low, low + width), st.floats(0.1, 5), st.floats(1e-3, 5))
finite = st.sets(st.floats(0.1, 9).map(lambda x: round(x, 3)), min_size=1, max_size=8).map(sorted).map(metarl.Choice)
samplers = st.dictionaries(st.sampled_from(NAMES), continuous | finite, min_size=1, max_size=3)
distributions = samplers.map(make_distribution)


@given(distributions, st.integers(1, 40), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_no_task_is_in_two_splits(f, n, seed):
    drawn = {split: set(rows(f.tasks(split, n, seed + i))) for i, split in enumerate(f.splits)}
    assert all(drawn.values())
    for a in drawn:
        for b in drawn:
            assert a == b or not drawn[a] & drawn[b]


@given(distributions, st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_finite_distributions_are_cut_into_exact_fractions_and_draws_are_balanced(f, n):
    tasks = f.finite_tasks
    if tasks is None:
        assert f.splits == ("train", "valid", "test")
        return
    count = splits.size(tasks)
    if count < splits.SMALLEST_CUT:
        assert f.splits == ("train",)
    tasks_of = {split: set(rows(f.tasks(split, count))) for split in f.splits}
    assert sum(map(len, tasks_of.values())) == count == len(set().union(*tasks_of.values()))
    if len(f.splits) > 1:
        assert len(tasks_of["valid"]) == max(1, round(0.1 * count))
        assert len(tasks_of["test"]) == round(0.2 * count)
    for split in f.splits:
        drawn = rows(f.tasks(split, n))
        times = [drawn.count(task) for task in tasks_of[split]]
        assert sum(times) == n
        assert max(times) - min(times) <= 1


@pytest.mark.parametrize(("count", "sizes"), [(10, (7, 1, 2)), (11, (8, 1, 2)), (13, (9, 1, 3)), (50, (35, 5, 10))])
def test_sizes_of_the_splits_of_finite_distributions(count, sizes):
    f = make_distribution({"velocity": metarl.Choice([float(i) for i in range(count)])})
    assert tuple(len(set(rows(f.tasks(split, 200)))) for split in ("train", "valid", "test")) == sizes


def test_nine_tasks_have_a_train_split_only():
    f = make_distribution({"velocity": metarl.Choice([1.0, 2.0, 3.0]), "mass": metarl.Choice([1.0, 2.0, 3.0])})
    assert f.splits == ("train",)
    with pytest.raises(MetarlError, match="has only 9 tasks, so there is no test split"):
        f.tasks("test")


def test_the_split_of_a_task_depends_on_the_task_alone():
    """The distribution's name, the order of its values and the seed do not matter: a held-out task stays held out."""
    values = [float(i) for i in range(30)]
    a = make_distribution({"velocity": metarl.Choice(values)})
    b = replace(make_distribution({"velocity": metarl.Choice(values[::-1])}), name="Other", version=4)
    for split in ("train", "valid", "test"):
        assert set(rows(a.tasks(split, 30, 0))) == set(rows(b.tasks(split, 30, 1)))


def test_fractions_of_continuous_distributions_are_about_right():
    f = make_distribution({"velocity": metarl.Uniform(0.0, 3.0)})
    tasks = {"velocity": metarl.Uniform(0.0, 3.0).sample(np.random.default_rng(0), 5000)}
    h = splits.content_hash(tasks) / 2.0**64
    for (low, high), fraction in zip([(0, 0.7), (0.7, 0.8), (0.8, 1)], splits.FRACTIONS.values(), strict=True):
        assert abs(((h >= low) & (h < high)).mean() - fraction) < 0.03
    for split in f.splits:  # each split covers the whole range
        v = f.tasks(split, 1000).params["velocity"]
        assert v.min() < 0.05
        assert v.max() > 2.95
        assert abs(v.mean() - 1.5) < 0.1


def test_content_hashes_are_golden():
    """A task that moves from test to train would invalidate every comparison."""
    tasks = {"b": np.array([[1, 2], [3, 4]]), "a": np.array([0.5, -0.0])}
    assert splits.content_hash(tasks).tolist() == [11081679631449695146, 17087054151909560904]
    assert splits.content_hash(dict(reversed(tasks.items()))).tolist() == splits.content_hash(tasks).tolist()


def test_iid_splits_are_fresh_draws_from_the_same_sampler():
    f = make_distribution({"velocity": metarl.Choice([1.0, 2.0])}, split="iid")
    assert f.splits == ("train", "valid", "test")
    for split in f.splits:
        assert set(rows(f.tasks(split, 10))) == {(1.0,), (2.0,)}
    g = make_distribution({"velocity": metarl.Uniform(0.0, 3.0)}, split="iid")
    assert not set(rows(g.tasks("train", 100))) & set(rows(g.tasks("test", 100)))


def test_large_finite_distributions_are_cut_by_hash():
    f = make_distribution({"velocity": metarl.Choice([float(i) for i in range(500)]), "mass": metarl.Choice(
        [1 + i / 1000 for i in range(500)])})  # fmt: skip
    assert f.finite_tasks is None
    assert f.splits == ("train", "valid", "test")
    drawn = [set(rows(f.tasks(split, 300))) for split in f.splits]
    assert not drawn[0] & drawn[1] | drawn[0] & drawn[2] | drawn[1] & drawn[2]


def test_samplers_of_too_few_values_for_a_held_out_split_are_refused():
    """Two weighted values: the distribution is not cut by rank, and there is no third value to hold out."""
    f = make_distribution({"velocity": metarl.Union(metarl.Fixed(1.0), metarl.Fixed(2.0), weights=(0.9, 0.1))})
    with pytest.raises(MetarlError, match=r"too few different tasks for a .* split; use split='iid'"):
        f.validate()


# Out of distribution -------------------------------------------------------------------------------------------------


@given(st.floats(0, 2), st.floats(0.1, 2), st.floats(-1, 4), st.floats(0.01, 3), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_ood_lies_outside_of_training(low, width, other, other_width, n):
    train, ood = metarl.Uniform(low, low + width), metarl.Uniform(other, other + other_width)
    f = make_distribution({"velocity": train, "mass": metarl.LogUniform(0.5, 2.0)}, ood={"velocity": ood})
    assert f.splits[-1] == "ood"
    share_outside = max(0, low - other) + max(0, other + other_width - low - width)
    if share_outside < 0.1 * other_width:
        return  # nearly or wholly inside: see the next test
    tasks = f.tasks("ood", n)
    v = tasks.params["velocity"]
    assert ((v < low) | (v > low + width)).all()
    assert ood.contains(v).all()
    assert metarl.LogUniform(0.5, 2.0).contains(tasks.params["mass"]).all()  # not named in ood: as in training


def test_ood_inside_training_raises():
    with pytest.raises(MetarlError, match="the ood sampler of 'velocity' lies inside its training sampler: widen it"):
        make_distribution({"velocity": metarl.Uniform(0, 3)}, ood={"velocity": metarl.Uniform(1, 2)}).tasks("ood", 3)


def test_ood_of_finite_samplers_and_of_several_parameters():
    f = make_distribution(
        {"velocity": metarl.Choice([1.0, 2.0]), "mass": metarl.Uniform(1, 2), "friction": metarl.Uniform(1, 2)},
        ood={"velocity": metarl.Choice([1.0, 3.0]), "mass": metarl.Uniform(1.9, 2.1)},
    )
    params = f.tasks("ood", 50).params
    assert set(params["velocity"]) == {3.0}
    assert (params["mass"] > 2).all()
    assert (params["friction"] <= 2).all()


def test_a_joint_ood_sampler_needs_contains():
    def draw(rng, n):
        return {"mass": rng.uniform(1, 2, n), "friction": rng.uniform(1, 2, n)}

    def far(rng, n):
        return {name: 2 * values for name, values in draw(rng, n).items()}

    names = ("mass", "friction")
    f = make_distribution({names: metarl.Joint(draw)}, ood={names: metarl.Joint(far)})
    with pytest.raises(MetarlError, match=r"give Joint\(..., contains=...\)"):
        f.tasks("ood")
    inside = metarl.Joint(draw, contains=lambda p: (p["mass"] <= 2) & (p["friction"] <= 2))
    params = make_distribution({names: inside}, ood={names: metarl.Joint(far)}).tasks("ood", 20).params
    assert ((params["mass"] > 2) | (params["friction"] > 2)).all()


ALL_TASKS = """
import numpy as np, metarl

class Squared(metarl.Sampler):
    shape, integer = (), False
    def sample(self, rng, n): return np.exp(rng.standard_normal(n)) ** 0.3
    def bounds(self): return np.zeros(()), np.full((), np.inf)
    def _inside(self, x): return x > 0

def draw(rng, n):
    x = np.log1p(rng.random(n))
    return {"velocity": x, "mass": np.exp(np.sin(x))}

metarl.register(metarl.TaskDistribution(
    "Mine", world="HalfCheetah", goal="velocity",
    parameters={("velocity", "mass"): metarl.Joint(draw), "friction": Squared()},
))
for name in metarl.registry.names("distribution"):
    distribution = metarl.get(name)
    if distribution.world in ("MiniGrid", "Atari"):
        continue
    for split in distribution.splits:
        print(name, split, distribution.tasks(split, 40, seed=3).hash)
"""


def test_tasks_are_the_same_with_and_without_avx512():
    """With and without AVX-512, numpy's exp, log, sin and cos differ in the last digit; splits depend on every digit.

    On a processor without AVX-512 the two runs are the same.
    """
    without = {**os.environ, "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX X86_V4"}
    hashes = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ALL_TASKS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for environment in (dict(os.environ), without)
    ]
    assert hashes[0] == hashes[1]
    assert len(hashes[0].splitlines()) > 200


def test_values_are_rounded_to_float32_within_their_bounds():
    values = np.array([0.1, 0.3, 1e-300, 1e300, -0.7, 0.0])
    rounded = round_to_float32(values)
    np.testing.assert_allclose(rounded, values, rtol=2.0**-24)
    np.testing.assert_array_equal(rounded[[0, 1, 4]], values[[0, 1, 4]].astype(np.float32))
    assert round_to_float32(np.array([0.1]), high=0.1)[0] == np.nextafter(np.float32(0.1), np.float32(0))
    assert round_to_float32(np.array([0.3]), low=0.3)[0] >= 0.3
    assert round_to_float32(np.array([0.1]), low=0.1, high=0.1)[0] == 0.1  # no rounded value lies within
