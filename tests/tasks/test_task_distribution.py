"""Distributions: tasks are a pure function of (distribution, split, n, seed), and never of anything global."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.errors import MetarlError

# A change here changes what every published number was measured on. (Families whose samplers use sines or logarithms are
# left out: their last bit is the machine's own.)
GOLDEN = {
    ("HalfCheetahDir", "train"): "81f8fcedca4b66c9",
    ("HalfCheetahVel", "train"): "3ccf57212bc13f80",
    ("HalfCheetahVel", "valid"): "c1f66761ddd1d4c9",
    ("HalfCheetahVel", "test"): "4b5383c6fdaae4a6",
    ("HalfCheetahVel", "ood"): "abf42e00132c73a5",
}


def cheetah(name="TestFamily", **changes) -> metarl.TaskDistribution:
    parameters = {"velocity": metarl.Uniform(0.0, 3.0), "mass": metarl.LogUniform(0.5, 2.0)}
    family = metarl.TaskDistribution(name, world="HalfCheetah", goal="velocity", parameters=parameters)
    return replace(family, **changes)


@pytest.mark.parametrize(("name", "split"), GOLDEN)
def test_task_sets_are_golden(name, split):
    assert metarl.get(name).tasks(split, 20, seed=0).hash[:16] == GOLDEN[name, split]


def test_tasks_are_a_pure_function_of_distribution_split_n_and_seed():
    family = cheetah(ood={"velocity": metarl.Uniform(3.0, 4.0)})
    sets = {}
    for split in family.splits:
        for n in (1, 7):
            for seed in (0, 1, 2**40):
                tasks = family.tasks(split, n, seed)
                assert (len(tasks), tasks.split, tasks.distribution) == (n, split, "TestFamily")
                sets[split, n, seed] = tasks.hash
    assert len(set(sets.values())) == len(sets)
    for (split, n, seed), known in reversed(sets.items()):  # in another order, from another object
        assert cheetah(ood=family.ood).tasks(split, n, seed).hash == known
        assert family.tasks(split, np.int64(n), seed).hash == known  # pyright: ignore[reportArgumentType]


def test_families_have_streams_of_their_own():
    a, b, c = (f.tasks("train", 5) for f in (cheetah(), cheetah("Other"), cheetah(version=1)))
    assert not (a.params["velocity"] == b.params["velocity"]).any()
    assert not (a.params["velocity"] == c.params["velocity"]).any()


def test_laws_have_streams_of_their_own():
    """Of iid families: a parameter more, and the others' values stay."""
    small = cheetah(split="iid", parameters={"velocity": metarl.Uniform(0.0, 3.0)}).tasks("train", 9)
    large = cheetah(split="iid").tasks("train", 9)
    np.testing.assert_array_equal(small.params["velocity"], large.params["velocity"])


def test_no_global_random_state_is_touched(roll):
    """A shared or re-seeded global generator gave whole papers the same tasks."""

    def states():
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    for name in ("HalfCheetahVel", "PointGoalSparse"):
        family = metarl.get(name)
        for split in family.splits:
            family.tasks(split, 40)
        roll(family.make(2), family.tasks("train", 2), steps=family.horizon + 2)
    assert states() == before
    for reseed in (torch.manual_seed, np.random.seed, random.seed):
        reseed(1)
    assert metarl.get("HalfCheetahVel").tasks("test", 20).hash[:16] == GOLDEN["HalfCheetahVel", "test"]


def test_what_the_families_of_the_literature_are():
    vel, direction = metarl.get("HalfCheetahVel"), metarl.get("HalfCheetahDir")
    v = vel.tasks("train", 2000).params["velocity"]
    assert ((v >= 0) & (v <= 3)).all()
    assert v.min() < 0.01
    assert v.max() > 2.99
    assert set(direction.tasks("train", 10).params["direction"]) == {-1.0, 1.0}
    for family in (vel, direction):
        assert (family.horizon, family.episodes) == (200, 2)
        assert family.simulated_world.weights == {"control": 0.05}  # pyright: ignore[reportAttributeAccessIssue]


def test_two_tasks_have_nothing_held_out():
    family = metarl.get("HalfCheetahDir")
    assert family.splits == ("train",)
    for split in ("valid", "test"):
        with pytest.raises(MetarlError, match=f"has only 2 tasks, so there is no {split} split: use train"):
            family.tasks(split)
    with pytest.raises(MetarlError, match="declares no ood samplers, so there is no ood split: use train"):
        family.tasks("ood")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda d: d.tasks("tset"), "unknown split 'tset'; did you mean 'test'"),
        (lambda d: d.tasks("train", 0), "number of tasks must be a whole number of at least 1, got 0"),
        (lambda d: d.tasks("train", 1.5), "got 1.5"),
        (lambda d: d.tasks("train", True), "got True"),
        (lambda d: d.tasks("train", 1, seed=-1), "a seed is a whole number of at least 0, got -1"),
        (lambda d: d.tasks("train", 1, seed=0.5), "got 0.5"),
        (
            lambda d: cheetah(parameters={**d.parameters, ("mass",): metarl.Joint(lambda rng, n: {})}).specs,
            "'mass' is given twice",
        ),
    ],
)
def test_errors_name_the_cure(use, message):
    with pytest.raises(MetarlError, match=message):
        use(cheetah())


def test_a_user_gives_tasks_as_a_dict_or_a_set():
    family = cheetah()
    one = family.task_set({"velocity": 1, "mass": np.float32(0.5)})
    assert one.task(0) == {"velocity": 1.0, "mass": 0.5}
    assert one.split == ""
    some = family.task_set(metarl.TaskSet({"velocity": [1, 2], "mass": [0.5, 0.5]}))
    assert len(some) == 2
    assert some.distribution == "TestFamily"
    own = family.tasks("test", 3)
    assert family.task_set(own) == own
    assert family.task_set(own).split == "test"


def test_a_joint_draw(roll):
    def opposites(rng, n):
        mass = rng.uniform(0.5, 2.0, n)
        return {"mass": mass, "strength": 1 / mass}

    family = metarl.register(
        cheetah(parameters={"velocity": metarl.Fixed(1.0), ("mass", "strength"): metarl.Joint(opposites)})
    )
    for split in ("train", "valid", "test"):
        tasks = family.tasks(split, 10)
        np.testing.assert_allclose(tasks.params["mass"] * tasks.params["strength"], 1.0)
    roll(family.make(2), family.tasks("test", 2), steps=2)
    with pytest.raises(MetarlError, match="is code and cannot be written as JSON"):
        family.to_json()


@pytest.mark.parametrize("name", [*registry.names("distribution"), "settings"])
def test_json_there_and_back(name):
    settings = {"observation": ("velocity", "position"), "weights": {"control": 0.1}}
    family = cheetah(settings=settings, version=3, split="iid") if name == "settings" else metarl.get(name)
    data = json.loads(json.dumps(family.to_json(), allow_nan=False))
    assert data == family.to_json()
    again = metarl.TaskDistribution.from_json(data)
    assert again.to_json() == data
    assert again.splits == family.splits
    for split in family.splits:
        assert again.tasks(split, 5) == family.tasks(split, 5)
    env, other = family.make(), again.make()
    assert torch.equal(env.begin(family.tasks()), other.begin(again.tasks()))
