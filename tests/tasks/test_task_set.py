"""Task sets: slicing, comparison, hashes, and JSON files that are exact to the bit."""

import copy
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter
from metarl.tasks.task_set import TaskSet

SPECS = [
    Parameter("velocity", unit="m/s", low=0.0, high=3.0),
    Parameter("goal", shape=(2,), integer=True, unit="cells"),
    Parameter("mass", unit="kg", low=0.0, low_open=True, neutral=1.0),
]


def make_tasks(n: int = 4, split: str = "train") -> TaskSet:
    values = {"velocity": np.linspace(0, 3, n), "goal": np.arange(2 * n).reshape(n, 2)}
    return TaskSet(values, SPECS, distribution="CheetahVel", version=1, split=split)


def test_names_are_sorted_and_arrays_read_only():
    tasks = make_tasks()
    assert tasks.names == ("goal", "velocity") == tuple(tasks.parameters)
    assert len(tasks) == 4
    assert tasks.params["goal"].dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        tasks.params["velocity"][0] = 1
    with pytest.raises(TypeError):
        tasks.params["velocity"] = np.zeros(4)  # pyright: ignore[reportIndexIssue]


def test_given_arrays_are_copied():
    given = np.zeros(3)
    tasks = TaskSet({"a": given})
    given[0] = 1
    assert tasks.params["a"][0] == 0


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (3, [3]),
        (-1, [3]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        (slice(9, 9), []),
        ([0, 0, 2], [0, 0, 2]),
        (np.array([-1, 0]), [3, 0]),
        (np.array([True, False, False, True]), [0, 3]),
        ([], []),
    ],
    ids=str,
)
def test_indexing_gives_a_set(index, rows):
    tasks = make_tasks()[index]
    assert tasks.params["goal"][:, 0].tolist() == [2 * i for i in rows]
    assert tasks.split == "train"
    assert tasks.parameters == make_tasks().parameters


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (4, IndexError, "there are 4 tasks; no task 4"),
        ([0, -5], IndexError, "there are 4 tasks"),
        (np.array([True]), MetarlError, r"mask over 4 tasks has shape \[4\]; got \[1\]"),
        (1.5, MetarlError, "chosen by"),
        ("velocity", MetarlError, "chosen by"),
        (np.zeros((2, 2), int), MetarlError, "chosen by"),
    ],
    ids=str,
)
def test_indexing_errors_name_the_mistake(index, error, message):
    with pytest.raises(error, match=message):
        make_tasks()[index]


def test_iteration_repeat_and_task():
    tasks = make_tasks(3)
    assert [len(t) for t in tasks] == [1, 1, 1]
    assert TaskSet.concatenate(tasks) == tasks
    assert tasks.repeat(2) == tasks[[0, 0, 1, 1, 2, 2]]
    assert tasks.task(1) == {"goal": [2, 3], "velocity": 1.5}
    assert type(tasks.task(-1)["velocity"]) is float
    assert TaskSet.single(tasks.task(1), SPECS, "CheetahVel", 1) == tasks[1]


def test_concatenation():
    tasks = make_tasks()
    assert tasks[:1] + tasks[1:] == tasks
    assert (tasks + tasks).split == "train"
    assert (tasks + make_tasks(split="test")).split == ""
    for other, message in [
        (TaskSet(tasks.params, SPECS, "Other", 1), "different distribution"),
        (TaskSet(tasks.params, SPECS, "CheetahVel", 2), "different version"),
        (TaskSet({"goal": tasks.params["goal"]}, SPECS, "CheetahVel", 1), "different names"),
        (TaskSet(tasks.params, (), "CheetahVel", 1), "describe 'goal' differently"),
    ]:
        with pytest.raises(MetarlError, match=message):
            TaskSet.concatenate([tasks, other])
    with pytest.raises(MetarlError, match="at least one"):
        TaskSet.concatenate([])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "at least one parameter"),
        ({"velocty": [1.0]}, "did you mean 'velocity'"),
        ({"velocity": [4.0]}, r"4\.0 m/s is too high"),
        ({"velocity": [1.0], "mass": [1.0, 2.0]}, "'mass': 2, 'velocity': 1"),
        ({"goal": [1, 2]}, r"must have shape \[n, 2\]"),
    ],
)
def test_values_that_the_parameters_exclude_are_refused(values, message):
    with pytest.raises(MetarlError, match=message):
        TaskSet(values, SPECS)


def test_hash_is_golden():
    values = {"b": [0.1, -0.0], "a": [[1, -2], [3, 4]]}
    tasks = TaskSet(values, distribution="Golden", version=3)
    assert tasks.hash == "6f300661dcbbd5c9aab8f4aec14fab4a0a89d07ffe5a48a222e91bdd9f625cd8"


def test_hash_depends_on_content_only():
    tasks = make_tasks()
    assert make_tasks(split="test") == tasks
    assert hash(make_tasks(split="test")) == hash(tasks)
    assert TaskSet({name: tasks.params[name] for name in reversed(tasks.names)}, (), "CheetahVel", 1) == tasks
    velocity, goal = tasks.params["velocity"], tasks.params["goal"]
    others = [
        TaskSet(tasks.params, SPECS, "CheetahVel", 2),
        TaskSet(tasks.params, SPECS, "CheetahDir", 1),
        tasks[::-1],
        tasks[:3],
        TaskSet({"velocity": np.nextafter(velocity, 4), "goal": goal}, (), "CheetahVel", 1),
        TaskSet({"velocity": -velocity, "goal": goal}, (), "CheetahVel", 1),
        TaskSet({"velocity": velocity, "goal": goal.astype(float)}, (), "CheetahVel", 1),
        TaskSet({"velocity": velocity, "goals": goal}, (), "CheetahVel", 1),
    ]
    assert len({t.hash for t in [tasks, *others]}) == 1 + len(others)
    assert TaskSet({"a": [0.0]}) != TaskSet({"a": [-0.0]})
    assert tasks != "tasks"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_and_pickles(again):
    tasks = again(make_tasks())
    assert tasks == make_tasks()
    assert tasks.parameters == make_tasks().parameters
    assert tasks.split == "train"
    assert not tasks.params["goal"].flags.writeable


NAMES = st.text(min_size=1, max_size=8)
INT64 = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True) | st.sampled_from(
    [-0.0, 5e-324, 1.7e308]
)


@st.composite
def task_sets(draw):
    length = draw(st.integers(0, 4))
    values = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        shape = (length, *draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3)))
        dtype, elements = draw(st.sampled_from([(np.float64, FINITE), (np.int64, INT64)]))
        values[name] = draw(hnp.arrays(dtype, shape, elements=elements))
    return TaskSet(values, (), draw(NAMES), draw(st.integers(0, 9)), draw(NAMES))


@given(tasks=task_sets())
def test_json_is_exact_to_the_bit(tasks, tmp_path_factory):
    path = tmp_path_factory.mktemp("tasks") / "tasks.json"
    tasks.save(path)
    loaded = TaskSet.load(path)
    assert loaded == tasks
    assert loaded.split == tasks.split
    assert loaded.parameters == tasks.parameters
    for name, values in tasks.params.items():
        assert loaded.params[name].tobytes() == values.tobytes()
        assert loaded.params[name].dtype == values.dtype
        assert loaded.params[name].shape == values.shape


def test_json_keeps_bounds_units_and_infinities(tmp_path):
    tasks = TaskSet.single({"mass": 2.0, "velocity": 1.0}, SPECS)
    tasks.save(tmp_path / "new" / "folder" / "tasks.json")
    text = (tmp_path / "new" / "folder" / "tasks.json").read_text()
    assert json.loads(text, parse_constant=lambda _: pytest.fail("JSON has no Infinity"))["hash"] == tasks.hash
    assert TaskSet.load(tmp_path / "new" / "folder" / "tasks.json").parameters["mass"] == SPECS[2]


def test_a_save_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "tasks.json"
    make_tasks().save(path)

    def fail(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        make_tasks(9).save(path)
    assert TaskSet.load(path) == make_tasks()
    assert os.listdir(tmp_path) == ["tasks.json"]


def edited(change):
    def write(path):
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return write


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot read the task set .*No such file"),
        (lambda path: path.write_text(""), "not JSON"),
        (lambda path: path.write_text(path.read_text()[:-40]), "cut short"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not JSON"),
        (lambda path: path.write_text("[1, 2]"), "not a task set"),
        (lambda path: path.write_text('{"a": 1}'), "not a task set"),
        (edited(lambda data: data.update(format_version=2)), "upgrade metarl"),
        (edited(lambda data: data.pop("tasks")), "damaged"),
        (edited(lambda data: data["tasks"][1].pop()), "lacks a value"),
        (edited(lambda data: data["tasks"].pop()), "damaged or edited"),
        (edited(lambda data: data["tasks"][0].__setitem__(1, 0.5)), "damaged or edited"),
        (edited(lambda data: data["tasks"][0].__setitem__(1, 50.0)), "too high"),
        (edited(lambda data: data["tasks"][0].__setitem__(1, None)), "damaged"),
        (edited(lambda data: data.update(hash="0")), "damaged or edited"),
        (edited(lambda data: data.update(parameters=[1])), "damaged"),
        (edited(lambda data: data.update(version="x")), "damaged"),
        (edited(lambda data: data.update(names=3)), "damaged"),
    ],
)
def test_load_names_the_damage(tmp_path, damage, message):
    path = tmp_path / "tasks.json"
    make_tasks().save(path)
    damage(path)
    with pytest.raises(MetarlError, match=message):
        TaskSet.load(path)


def test_load_of_a_folder_is_refused(tmp_path):
    with pytest.raises(MetarlError, match="cannot read the task set"):
        TaskSet.load(tmp_path)
