"""Gymnasium ids of task distributions."""

import dataclasses
import json

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec

import metarl
from metarl import registry
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.registration import register_ids
from metarl.gym_api.vector_env import VectorEnv


@pytest.fixture
def distribution():
    """HalfCheetahVel under another name."""
    return dataclasses.replace(registry.find("distribution", "HalfCheetahVel"), name="TestIds")


@pytest.mark.parametrize("name", registry.names("distribution"))
def test_every_distribution_has_an_id_for_make_and_make_vec(name):
    env_id = f"metarl/{name}-v{registry.find('distribution', name).version}"
    env = gym.make(env_id)
    assert isinstance(env.unwrapped, MetarlEnv)
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["id"] == env_id
    env.close()
    envs = gym.make_vec(env_id, num_envs=2, split="train", autoreset_mode="SameStep")
    assert isinstance(envs, VectorEnv)
    assert envs.spec is not None
    assert json.loads(envs.spec.to_json())["kwargs"]["num_envs"] == 2
    envs.close()


def test_a_spec_read_from_json_makes_the_environment_again():
    env = gym.make("metarl/HalfCheetahVel-v0", split="test", task={"velocity": 0.5})
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.reset(seed=0)[1]["task"] == {"velocity": 0.5}


def test_registering_again_changes_nothing(distribution):
    env_id = register_ids(distribution)
    spec = gym.registry[env_id]
    assert register_ids(distribution) == env_id == "metarl/TestIds-v0"
    assert gym.registry[env_id] is spec


def test_a_new_version_replaces_the_old(distribution):
    register_ids(distribution)
    assert register_ids(dataclasses.replace(distribution, version=1)) == "metarl/TestIds-v1"
    assert "metarl/TestIds-v0" not in gym.registry
    assert "metarl/HalfCheetahVel-v0" in gym.registry


def test_a_name_that_gymnasium_cannot_parse_is_refused(distribution):
    with pytest.raises(metarl.MetarlError, match="letters"):
        register_ids(dataclasses.replace(distribution, name="icy cheetah"))


def test_an_unknown_distribution_suggests_the_nearest():
    with pytest.raises(metarl.MetarlError, match="did you mean 'HalfCheetahVel'"):
        MetarlEnv("HalfCheetahVell")
    with pytest.raises(metarl.MetarlError, match="TaskDistribution"):
        VectorEnv(3)  # type: ignore[arg-type]
