"""Task distributions: tasks are a pure function of (distribution, split, n, seed), not of global state."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.errors import MetarlError

# A change here changes the tasks that every published number was measured on.
GOLDEN = {
    ("HalfCheetahDir", "train"): "81f8fcedca4b66c9",
    ("HalfCheetahVel", "train"): "3ccf57212bc13f80",
    ("HalfCheetahVel", "valid"): "c1f66761ddd1d4c9",
    ("HalfCheetahVel", "test"): "4b5383c6fdaae4a6",
    ("HalfCheetahVel", "ood"): "abf42e00132c73a5",
}


def cheetah(name="TestCheetah", **changes) -> metarl.TaskDistribution:
    parameters = {"velocity": metarl.Uniform(0.0, 3.0), "mass": metarl.LogUniform(0.5, 2.0)}
    distribution = metarl.TaskDistribution(name, world="HalfCheetah", goal="velocity", parameters=parameters)
    return replace(distribution, **changes)


@pytest.mark.parametrize(("name", "split"), GOLDEN)
def test_task_sets_are_golden(name, split):
    assert metarl.get(name).tasks(split, 20, seed=0).hash[:16] == GOLDEN[name, split]


def test_tasks_are_a_pure_function_of_distribution_split_n_and_seed():
    distribution = cheetah(ood={"velocity": metarl.Uniform(3.0, 4.0)})
    sets = {}
    for split in distribution.splits:
        for n in (1, 7):
            for seed in (0, 1, 2**40):
                tasks = distribution.tasks(split, n, seed)
                assert (len(tasks), tasks.split, tasks.distribution) == (n, split, "TestCheetah")
                sets[split, n, seed] = tasks.hash
    assert len(set(sets.values())) == len(sets)
    for (split, n, seed), known in reversed(sets.items()):  # in another order, from another object
        assert cheetah(ood=distribution.ood).tasks(split, n, seed).hash == known
        assert distribution.tasks(split, np.int64(n), seed).hash == known  # pyright: ignore[reportArgumentType]


def test_distributions_have_different_random_streams():
    a, b, c = (f.tasks("train", 5) for f in (cheetah(), cheetah("Other"), cheetah(version=1)))
    assert not (a.params["velocity"] == b.params["velocity"]).any()
    assert not (a.params["velocity"] == c.params["velocity"]).any()


def test_another_parameter_changes_no_values_of_the_others():
    """Every sampler of an iid distribution has its own random stream."""
    small = cheetah(split="iid", parameters={"velocity": metarl.Uniform(0.0, 3.0)}).tasks("train", 9)
    large = cheetah(split="iid").tasks("train", 9)
    np.testing.assert_array_equal(small.params["velocity"], large.params["velocity"])


def test_no_global_random_state_is_touched(roll):
    """Tasks drawn from a shared or re-seeded global generator have repeated in published work."""

    def states():
        return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    for name in ("HalfCheetahVel", "PointGoalSparse"):
        distribution = metarl.get(name)
        for split in distribution.splits:
            distribution.tasks(split, 40)
        roll(distribution.make(2), distribution.tasks("train", 2), steps=distribution.horizon + 2)
    assert states() == before
    for reseed in (torch.manual_seed, np.random.seed, random.seed):
        reseed(1)
    assert metarl.get("HalfCheetahVel").tasks("test", 20).hash[:16] == GOLDEN["HalfCheetahVel", "test"]


def test_half_cheetah_distributions_are_those_of_the_literature():
    vel, direction = metarl.get("HalfCheetahVel"), metarl.get("HalfCheetahDir")
    v = vel.tasks("train", 2000).params["velocity"]
    assert ((v >= 0) & (v <= 3)).all()
    assert v.min() < 0.01
    assert v.max() > 2.99
    assert set(direction.tasks("train", 10).params["direction"]) == {-1.0, 1.0}
    for distribution in (vel, direction):
        assert (distribution.horizon, distribution.episodes) == (200, 2)
        assert distribution.simulated_world.weights == {"control": 0.05}  # pyright: ignore[reportAttributeAccessIssue]


def test_two_tasks_have_a_train_split_only():
    distribution = metarl.get("HalfCheetahDir")
    assert distribution.splits == ("train",)
    for split in ("valid", "test"):
        with pytest.raises(MetarlError, match=f"has only 2 tasks, so there is no {split} split: use train"):
            distribution.tasks(split)
    with pytest.raises(MetarlError, match="declares no ood samplers, so there is no ood split: use train"):
        distribution.tasks("ood")


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


def test_a_user_may_give_tasks_as_a_dict_or_a_set():
    distribution = cheetah()
    one = distribution.task_set({"velocity": 1, "mass": np.float32(0.5)})
    assert one.task(0) == {"velocity": 1.0, "mass": 0.5}
    assert one.split == ""
    some = distribution.task_set(metarl.TaskSet({"velocity": [1, 2], "mass": [0.5, 0.5]}))
    assert len(some) == 2
    assert some.distribution == "TestCheetah"
    own = distribution.tasks("test", 3)
    assert distribution.task_set(own) == own
    assert distribution.task_set(own).split == "test"


def test_a_joint_draw_of_two_parameters(roll):
    def opposites(rng, n):
        mass = rng.uniform(0.5, 2.0, n)
        return {"mass": mass, "strength": 1 / mass}

    distribution = metarl.register(
        cheetah(parameters={"velocity": metarl.Fixed(1.0), ("mass", "strength"): metarl.Joint(opposites)})
    )
    for split in ("train", "valid", "test"):
        tasks = distribution.tasks(split, 10)
        np.testing.assert_allclose(tasks.params["mass"] * tasks.params["strength"], 1.0)
    roll(distribution.make(2), distribution.tasks("test", 2), steps=2)
    with pytest.raises(MetarlError, match="is code and cannot be written as JSON"):
        distribution.to_json()


@pytest.mark.parametrize("name", [*registry.names("distribution"), "settings"])
def test_to_json_and_from_json_give_the_same_distribution(name):
    settings = {"observation": ("velocity", "position"), "weights": {"control": 0.1}}
    distribution = cheetah(settings=settings, version=3, split="iid") if name == "settings" else metarl.get(name)
    data = json.loads(json.dumps(distribution.to_json(), allow_nan=False))
    assert data == distribution.to_json()
    again = metarl.TaskDistribution.from_json(data)
    assert again.to_json() == data
    assert again.splits == distribution.splits
    for split in distribution.splits:
        assert again.tasks(split, 5) == distribution.tasks(split, 5)
    env, other = distribution.make(), again.make()
    assert torch.equal(env.begin(distribution.tasks()), other.begin(again.tasks()))
