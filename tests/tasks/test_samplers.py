"""Samplers: properties that all of them share, then each one's distribution against its closed form."""

import json
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metarl.errors import MetarlError
from metarl.tasks.samplers import (
    Arc,
    Choice,
    Dirichlet,
    Disc,
    Fixed,
    Integers,
    Joint,
    LogUniform,
    Normal,
    Permutation,
    Sampler,
    Uniform,
    Union,
    sampler_from_json,
)

SAMPLERS = [
    Uniform(-1, 3),
    Uniform([0, 0], [1, 2]),
    Uniform(0, 1, (2, 3)),
    Uniform(2, 2),
    LogUniform(0.1, 10),
    LogUniform(1e-300, 1e300, (3,)),
    Integers(-2, 5),
    Integers(0, [1, 2]),
    Integers(0, 1, (25,)),
    Normal(1, 0.5),
    Normal([0, 1], [1, 2]),
    Choice([-1.0, 1.0]),
    Choice([[0, 1], [1, 0], [2, 2]]),
    Fixed(3.5),
    Fixed([[1, 2], [3, 4]]),
    Dirichlet(1.0, (3,)),
    Dirichlet([0.01, 1, 10], (4, 2, 3)),
    Permutation(4),
    Permutation(3, signed=True),
    Permutation(1, signed=True),
    Permutation(40, signed=True),
    Disc(2.0),
    Disc(2.0, inner=1.5),
    Arc(1.0),
    Arc(1.0, 0.0, math.pi),
    Arc(3.0, 3.0, 7.0),
    Arc(1.0, -math.pi / 6, 0.0) | Arc(1.0, math.pi, 7 * math.pi / 6),
    Uniform(0, 1) | Uniform(2, 3) | Uniform(4, 5),
    Union(Integers(0, 1), Fixed(7), weights=(2, 1)),
    Union(Fixed(1), Fixed(2), weights=(0.1, 0.9)),
    Union(Integers(0, 1), Uniform(5, 6)),
]
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def draw(sampler: Sampler, n: int = 20_000) -> np.ndarray:
    return sampler.sample(np.random.default_rng(7), n)


def fits(x: np.ndarray, cdf) -> bool:
    return stats.kstest(x, cdf).pvalue > 1e-3


@every_sampler
def test_draws_have_shape_dtype_bounds_and_support(sampler):
    x = draw(sampler, 500)
    low, high = sampler.bounds()
    assert x.shape == (500, *sampler.shape)
    assert x.dtype == (np.int64 if sampler.integer else np.float64)
    assert low.shape == high.shape == sampler.shape
    assert ((x >= low) & (x <= high)).all()
    inside = sampler.contains(x)
    assert inside.shape == (500,)
    assert inside.dtype == bool
    assert inside.all()


@every_sampler
def test_draws_repeat_under_a_seed(sampler):
    assert np.array_equal(draw(sampler, 50), draw(sampler, 50))


@every_sampler
@pytest.mark.parametrize("n", [0, 1])
def test_few_draws(sampler, n):
    x = draw(sampler, n)
    assert x.shape == (n, *sampler.shape)
    assert sampler.contains(x).shape == (n,)


@every_sampler
def test_nan_and_distant_values_are_not_contained(sampler):
    assert not sampler.contains(np.full((1, *sampler.shape), np.nan)).any()
    if not isinstance(sampler, Normal):
        assert not sampler.contains(np.full((1, *sampler.shape), 1e301)).any()


@every_sampler
def test_json_pickle_equality_and_hash(sampler):
    for other in (sampler_from_json(json.loads(json.dumps(sampler.to_json()))), pickle.loads(pickle.dumps(sampler))):
        assert other == sampler
        assert hash(other) == hash(sampler)
        assert np.array_equal(draw(other, 20), draw(sampler, 20))


@every_sampler
def test_finite_lists_each_value_once(sampler):
    values = sampler.finite()
    if values is not None:
        assert values.shape[1:] == sampler.shape
        assert sampler.contains(values).all()
        assert len(np.unique(values, axis=0)) == len(values)
        drawn = np.unique(draw(sampler, 3000), axis=0)
        assert len(drawn) == len(values)


@pytest.mark.parametrize(
    ("sampler", "count"),
    [
        (Integers(-2, 5), 8),
        (Integers(0, [1, 2]), 6),
        (Integers(0, 1, (25,)), None),
        (Permutation(4), 24),
        (Permutation(3, signed=True), 48),
        (Permutation(40), None),
        (Fixed([1, 2]), 1),
        (Union(Integers(0, 1), Fixed(7), weights=(2, 1)), 3),
        (Union(Integers(0, 1), Fixed(7)), None),  # finite, but not uniform
        (Union(Integers(0, 2), Integers(2, 4)), None),  # 2 twice
        (Uniform(0, 1), None),
        (Dirichlet(1, (2,)), None),
    ],
    ids=str,
)
def test_finite_counts(sampler, count):
    values = sampler.finite()
    assert (None if values is None else len(values)) == count


def test_finite_is_in_a_fixed_order():
    for sampler, values in [
        (Choice([3, 1, 2]), [3, 1, 2]),
        (Integers(0, 1, (2,)), [[0, 0], [0, 1], [1, 0], [1, 1]]),
        (Permutation(2, signed=True), [[1, 2], [1, -2], [-1, 2], [-1, -2], [2, 1], [2, -1], [-2, 1], [-2, -1]]),
    ]:
        np.testing.assert_array_equal(sampler.finite(), values)


def test_uniform_log_uniform_and_normal_draws_fit_their_distributions():
    assert fits(draw(Uniform(-1, 3)), stats.uniform(-1, 4).cdf)
    assert fits(draw(LogUniform(0.1, 10)), stats.loguniform(0.1, 10).cdf)
    assert fits(draw(Normal(1, 0.5)), stats.norm(1, 0.5).cdf)
    box = draw(Uniform([0, 10], [1, 20]))
    assert fits(box[:, 1], stats.uniform(10, 10).cdf)
    assert abs(np.corrcoef(box.T)[0, 1]) < 0.03


@pytest.mark.parametrize(
    "sampler", [Integers(0, 6), Permutation(3), Permutation(2, signed=True), Choice([5, 3, 9])], ids=str
)
def test_finite_samplers_draw_all_values_equally_often(sampler):
    _, counts = np.unique(draw(sampler), axis=0, return_counts=True)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_dirichlet_marginals_are_beta():
    x = draw(Dirichlet([1.0, 2.0, 3.0], (2, 3)))
    np.testing.assert_allclose(x.sum(axis=-1), 1.0, atol=1e-12)
    assert fits(x[:, 1, 2], stats.beta(3, 3).cdf)
    assert not Dirichlet(1.0, (2,)).contains([[0.5, 0.6], [1.5, -0.5]]).any()


@pytest.mark.parametrize(("radius", "inner"), [(2.0, 0.0), (2.0, 1.5)])
def test_disc_is_uniform_by_area(radius, inner):
    x = draw(Disc(radius, inner))
    area = (np.hypot(*x.T) ** 2 - inner**2) / (radius**2 - inner**2)
    assert fits(area, stats.uniform.cdf)
    assert fits(np.arctan2(x[:, 1], x[:, 0]), stats.uniform(-np.pi, 2 * np.pi).cdf)
    assert Disc(2, 1).contains([[0, 0], [0, 1.5], [0, 2.1]]).tolist() == [False, True, False]


def test_arc_is_uniform_in_angle_and_bounds_are_tight():
    arc = Arc(2.0, 0.0, math.pi)
    x = draw(arc)
    np.testing.assert_allclose(np.hypot(*x.T), 2.0)
    assert fits(np.arctan2(x[:, 1], x[:, 0]), stats.uniform(0, np.pi).cdf)
    np.testing.assert_allclose(arc.bounds(), [[-2, 0], [2, 2]], atol=1e-12)
    np.testing.assert_allclose(Arc(1, 3.0, 7.0).bounds(), [[-1, -1], [1, math.sin(7)]], atol=1e-12)
    assert arc.contains([[0, 2], [0, -2], [0, 1], [2, 0], [-2, 0]]).tolist() == [True, False, False, True, True]
    assert Arc(1, 3, 7).contains([[1, 0], [0, 1]]).tolist() == [True, False]


def test_union_mixes_in_proportion():
    x = draw(Uniform(0, 1) | Uniform(2, 3) | Uniform(4, 5))
    np.testing.assert_allclose(np.bincount(x.astype(int)) / len(x), [1 / 3, 0, 1 / 3, 0, 1 / 3], atol=0.02)
    x = draw(Union(Uniform(0, 1), Uniform(1, 2), weights=(3, 1)))
    assert abs((x < 1).mean() - 0.75) < 0.02
    assert (Uniform(0, 1) | Uniform(2, 3)).contains([0.5, 1.5, 2.5]).tolist() == [True, False, True]


def test_integers_and_floats_are_different_choices():
    assert Choice([1, 2]) != Choice([1.0, 2.0])
    assert Choice([1, 2]).integer
    assert not Choice([1, 2.5]).integer
    assert not Integers(0, 3).contains([0.5]).any()


def pair(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    a = rng.integers(5, size=n)
    return {"a": a, "b": np.stack([a, a + 1], axis=1)}


NUMBER: Any = 3  # wrong types, hidden from the type checker
LIST: Any = [1, 2]


def wrong(rng: np.random.Generator, n: int) -> Any:
    return [1]


def test_joint_draws_several_at_once():
    joint = Joint(pair, contains=lambda values: values["b"][:, 0] == values["a"])
    x = joint.sample(np.random.default_rng(0), 6, names=("b", "a"))
    assert {name: values.shape for name, values in x.items()} == {"a": (6,), "b": (6, 2)}
    assert isinstance(joint, Sampler)
    assert joint.finite() is None
    assert joint.contains(x).all()
    assert not joint.contains(x | {"a": x["a"] + 1}).any()
    assert pickle.loads(pickle.dumps(Joint(pair))) == Joint(pair)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            lambda rng: Joint(pair).sample(rng, 3, names=("a", "c")),
            r"must return a dict of \['a', 'c'\]; got \['a', 'b'\]",
        ),
        (lambda rng: Joint(wrong).sample(rng, 3), "must return a dict of arrays; got list"),
        (lambda rng: Joint(lambda rng, n: {"a": [1]}).sample(rng, 3), r"return 3 rows, one per task; got shape \[1\]"),
        (lambda rng: Joint(pair).contains(pair(rng, 3)), "give Joint"),
        (lambda rng: Joint(pair).to_json(), "pair is code"),
        (lambda rng: Joint(NUMBER), "must be a function"),
        (lambda rng: Union(Joint(pair), Joint(pair)), "give samplers"),
        (lambda rng: sampler_from_json({"sampler": "Joint"}), "joint draw is code"),
    ],
)
def test_joint_errors_name_the_mistake(use, message):
    with pytest.raises(MetarlError, match=message):
        use(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(2, 1), r"low 2\.0 is greater than high 1\.0"),
        (lambda: Uniform(0, math.inf), "high must be finite"),
        (lambda: Uniform(math.nan, 1), "low must be finite"),
        (lambda: Uniform(-1e308, 1e308), "too wide"),
        (lambda: Uniform([0, 0], 1, (3,)), "do not fit shape"),
        (lambda: Uniform("a", 1), "give numbers"),
        (lambda: Uniform(0, 1, (-1,)), "shape must be"),
        (lambda: LogUniform(0, 1), "low must be greater than 0"),
        (lambda: Integers(0.5, 2), "low must be an integer"),
        (lambda: Integers(3, 2), "greater than"),
        (lambda: Normal(0, 0), "std must be greater than 0"),
        (lambda: Choice([]), "at least one value"),
        (lambda: Choice(3), "at least one value"),
        (lambda: Choice([1, 1]), "listed twice"),
        (lambda: Choice([[1], [1, 2]]), "rectangular"),
        (lambda: Choice([1, math.nan]), "must be finite"),
        (lambda: Choice(["a"]), "give numbers"),
        (lambda: Dirichlet(0, (2,)), "must be greater than 0"),
        (lambda: Dirichlet(1, ()), "needs a last axis"),
        (lambda: Dirichlet([1, 2], (3,)), r"concentration has shape \(2,\)"),
        (lambda: Permutation(0), "at least 1"),
        (lambda: Disc(1, 2), "inner < radius"),
        (lambda: Disc(LIST), "one number"),
        (lambda: Arc(-1), "radius must be greater than 0"),
        (lambda: Arc(1, 0, 7), "a turn apart at most"),
        (lambda: Arc(1, 1, 1), "start_rad < stop_rad"),
        (lambda: Union(), "give samplers"),
        (lambda: Union(Uniform(0, 1), Disc(1)), "different shapes"),
        (lambda: Union(Uniform(0, 1), Fixed(1), weights=(1,)), "one weight > 0 for each of 2 samplers"),
        (lambda: Uniform(0, 1).contains(0.5), r"takes values of shape \[n\]; got \[\]"),
        (lambda: Disc(1).contains(np.zeros((4, 3))), r"takes values of shape \[n, 2\]; got \[4, 3\]"),
        (lambda: sampler_from_json({"sampler": "Unifrom", "low": 0, "high": 1}), "did you mean 'Uniform'"),
        (lambda: sampler_from_json({"sampler": "Uniform", "lo": 0}), "sampler Uniform in JSON"),
        (lambda: sampler_from_json({"low": 0}), "a sampler in JSON"),
    ],
)
def test_errors_name_the_cure(make, message):
    with pytest.raises(MetarlError, match=message):
        make()


def test_a_users_sampler_is_read_from_json_and_cannot_replace_a_built_in():
    @dataclass(frozen=True)
    class Halves(Uniform):
        def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
            return np.round(super().sample(rng, n) * 2) / 2

    try:
        assert sampler_from_json(Halves(0, 2).to_json()) == Halves(0, 2)
    finally:
        del Sampler.kinds["Halves"]
    with pytest.raises(MetarlError, match=r"named 'Uniform', in metarl\.tasks\.samplers\.numbers; choose another name"):
        type("Uniform", (Fixed,), {})


FLOATS = st.floats(-1e100, 1e100)


@given(st.lists(FLOATS, min_size=2, max_size=2).map(sorted), st.integers(0, 2**32))
def test_uniform_stays_within_any_bounds(bounds, seed):
    sampler = Uniform(*bounds)
    assert sampler.contains(sampler.sample(np.random.default_rng(seed), 20)).all()
    assert sampler_from_json(json.loads(json.dumps(sampler.to_json()))) == sampler


@given(st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=2).map(sorted), st.integers(0, 2**32))
def test_log_uniform_stays_within_any_bounds(bounds, seed):
    sampler = LogUniform(*bounds)
    assert sampler.contains(sampler.sample(np.random.default_rng(seed), 20)).all()
