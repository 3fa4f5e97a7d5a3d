"""Parameters: the values that they accept, and the errors for all others."""

import math
import pickle

import numpy as np
import pytest

from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

MASS = Parameter("mass", unit="kg", low=0.0, low_open=True, high=10.0, neutral=1.0)


@pytest.mark.parametrize("given", [[1, 2], [1.0, 2.0], np.array([1, 2], np.float32), np.array([1.0, 2.0])[::-1][::-1]])
def test_check_gives_a_contiguous_float64_copy(given):
    checked = MASS.check(given)
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous
    assert checked.tolist() == [1.0, 2.0]
    assert not np.shares_memory(checked, given)


def test_check_keeps_integers_exact():
    goal = Parameter("goal", shape=(2,), integer=True)
    checked = goal.check([[2**63 - 1, -(2**63)], [0, 1.0]][:1])
    assert checked.dtype == np.int64
    assert checked.tolist() == [[2**63 - 1, -(2**63)]]
    assert goal.check([[3.0, 4.0]]).dtype == np.int64


@pytest.mark.parametrize(
    ("parameter", "values", "message"),
    [
        (MASS, 1.0, r"must have shape \[n\].*got \[\]"),
        (Parameter("p", (2, 3)), np.zeros((5, 3)), r"must have shape \[n, 2, 3\].*got \[5, 3\]"),
        (MASS, [1.0, math.nan], r"'mass', task 1: nan kg is not a finite number; give one in \(0, 10\] kg"),
        (MASS, [math.inf], "not a finite number"),
        (MASS, [1.0, 2.0, 10.5], r"task 2: 10\.5 kg is too high; it must lie in \(0, 10\] kg"),
        (MASS, [0.0], r"task 0: 0\.0 kg is too low"),
        (Parameter("v", (2,), high=1.0, high_open=True), [[0, 0], [0, 1]], r"task 1 element \[1\]: 1\.0 is too high"),
        (Parameter("k", integer=True), [1.5], r"1\.5 is not an integer"),
        (Parameter("k", integer=True), [1e300], "not an integer of 64 bits"),
        (Parameter("k", integer=True), np.array([2**63], np.uint64), "not an integer of 64 bits"),
        (MASS, ["1.0"], "give numbers"),
        (MASS, [1j], "give numbers"),
        (MASS, [[1.0], [1.0, 2.0]], "rectangular"),
    ],
)
def test_check_names_the_mistake(parameter, values, message):
    with pytest.raises(MetarlError, match=message):
        parameter.check(values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "a", "low": 2.0, "high": 1.0}, r"no value lies in \[2, 1\]"),
        ({"name": "a", "low": math.nan}, "no value lies in"),
        ({"name": "a", "low": 0.0, "high": 0.0, "low_open": True}, "no value lies in"),
        ({"name": "a", "low": 1.0}, "pass a neutral value that fits.*too low"),
        ({"name": "a", "shape": (2, 0)}, "must be at least 1"),
        ({"name": "a", "shape": (2,), "neutral": [1, 2, 3]}, "pass a neutral value that fits"),
    ],
)
def test_the_constructor_checks_bounds_shape_and_neutral_value(settings, message):
    with pytest.raises(MetarlError, match=message):
        Parameter(**settings)


def test_neutral_is_broadcast_and_read_only():
    eye = Parameter("gains", shape=(2, 2), neutral=[1.0, 2.0])
    assert np.asarray(eye.neutral).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(eye.neutral)[0] = 3


def test_equality_hash_json_and_pickle():
    for parameter in (MASS, Parameter("goal", (2,), integer=True, neutral=[1, 2], doc="where")):
        for other in (Parameter.from_json(parameter.to_json()), pickle.loads(pickle.dumps(parameter))):
            assert other == parameter
            assert hash(other) == hash(parameter)
    assert Parameter("mass") != MASS
    assert Parameter("a", neutral=0.0) != Parameter("a", neutral=1.0)


def test_unknown_suggests_the_nearest_name():
    error = unknown("world", "halfcheeta", ["Hopper", "HalfCheetah"])
    assert str(error) == "unknown world 'halfcheeta'; did you mean 'HalfCheetah'? Known: HalfCheetah, Hopper"
    assert "mean" not in str(unknown("world", "xyz", ["Hopper"]))
    assert "none" in str(unknown("world", "xyz", []))
