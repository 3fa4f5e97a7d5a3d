"""The checker finds each fault that is added to a correct environment, and passes Gymnasium's own environments."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import metarl
from metarl.gym_api.vector_env_checker import CHECKS, check_vector_env

MODES = list(AutoresetMode)


class Walk(gym.vector.VectorEnv):
    """A random walk of 4 to 8 steps that is correct except for `fault`."""

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, mode: AutoresetMode, fault: str = "", num_envs: int = 3) -> None:
        self.fault, self.mode, self.num_envs = fault, mode, num_envs
        self.metadata = {"autoreset_mode": mode.value if fault == "mode as a string" else mode}
        if fault == "metadata of the class":
            self.metadata = type(self).metadata
            self.metadata["autoreset_mode"] = mode
        self.single_observation_space = gym.spaces.Box(-100, 100, (2,), np.float32)
        self.single_action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        if fault == "spaces do not match":
            self.observation_space = gym.spaces.Box(-100, 100, (num_envs, 2), np.float64)
        self.place = np.zeros((num_envs, 2), np.float32)
        self.time, self.end = np.zeros(num_envs, int), np.zeros(num_envs, int)
        self.over = np.zeros(num_envs, bool)
        self.rngs = [np.random.default_rng() for _ in range(num_envs)]
        self.count = np.zeros(num_envs)

    def begin(self, mask: np.ndarray) -> None:
        if self.fault == "mask ignored":
            mask = np.ones_like(mask)
        for i in np.flatnonzero(mask):
            self.place[i] = self.rngs[i].normal(size=2)
            self.end[i] = self.rngs[i].integers(4, 9)
        self.time[mask] = 0
        self.over[mask] = False

    def reset(self, *, seed=None, options=None):
        mask = np.ones(self.num_envs, bool)
        options = options if options is not None else {}
        if "reset_mask" in options:
            mask = options.pop("reset_mask") if self.fault == "options popped" else options["reset_mask"]
        if self.fault == "options written into" and "start" in options:
            options["start"][0] = 1.0
        if seed is not None:
            super().reset(seed=seed)
            self.count[:] = 0
            for i in np.flatnonzero(mask):
                shift = {"seeds all equal": 0, "seeds in pairs": i // 2}.get(self.fault, i)
                self.rngs[i] = np.random.default_rng(seed + shift)
            if self.fault == "masked seeds renumbered" and not mask.all():
                for n, i in enumerate(np.flatnonzero(mask)):
                    self.rngs[i] = np.random.default_rng(seed + n + 1)
        if self.fault == "not seeded":
            self.rngs = [np.random.default_rng() for _ in range(self.num_envs)]
        self.begin(mask)
        infos = {} if self.fault == "infos of all" else {"time": self.time.copy(), "_time": mask.copy()}
        if self.fault == "infos of all":
            infos = {"time": self.time.copy(), "_time": np.ones(self.num_envs, bool)}
        return self.observation("reset"), infos

    def step(self, actions):
        if self.fault == "actions changed":
            actions *= 0.5
        if self.fault == "reset obs read again":
            self.place = self.place.copy()
        over = self.over.copy()
        assert self.mode is not AutoresetMode.DISABLED or not over.any()
        active = ~over if self.fault != "action not ignored" else np.ones_like(over)
        if self.fault == "an environment changes the next":
            self.place[1:] += 0.01 * self.place[:-1]
        self.place[active] += actions[active]
        self.time += active
        reward = np.where(active, actions.sum(1), 0.0) if self.fault != "reward not 0" else actions.sum(1)
        self.over = active & (self.time >= self.end)
        truncations = self.over.copy()
        obs, infos = None, {"time": self.time.copy(), "_time": np.ones(self.num_envs, bool)}
        if self.mode is AutoresetMode.SAME_STEP and truncations.any():
            obs, infos = self.end_at_once(truncations, infos)
        elif self.mode is AutoresetMode.NEXT_STEP and over.any():
            self.begin(over)
            truncations |= over & (self.fault == "ends twice")
        infos |= self.faulty_infos()
        if self.fault == "rewards as a list":
            reward = reward.tolist()
        terminations = np.zeros(self.num_envs, float if self.fault == "flags of floats" else bool)
        return self.observation("step") if obs is None else obs, reward, terminations, truncations, infos

    def end_at_once(self, ended, infos):
        final = np.full(self.num_envs, None, object)
        for i in range(self.num_envs) if self.fault == "final_obs of all" else np.flatnonzero(ended):
            final[i] = self.place[i] if self.fault == "final_obs a view" else self.place[i].copy()
        last = {"time": self.time.copy(), "_time": ended.copy()}
        self.begin(ended if self.fault != "not begun" else np.zeros_like(ended))
        if self.fault == "not begun":
            self.time[ended] = 0
            self.over[ended] = False
        if self.fault == "final_obs after the restart":
            for i in np.flatnonzero(ended):
                final[i] = self.place[i].copy()
        if self.fault != "no final_obs":
            infos |= {"final_obs": final, "_final_obs": ended.copy()}
        if self.fault == "final_obs stacked":
            infos["final_obs"] = self.place.copy()
        infos |= {"final_info": last, "_final_info": ended.copy()}
        return self.observation("step"), infos

    def faulty_infos(self) -> dict[str, Any]:
        self.count += 1
        mask = np.ones(self.num_envs, bool)
        return {
            "info without a mask": {"count": self.count.copy()},
            "mask without an info": {"_count": mask},
            "info as a list": {"count": self.count.tolist(), "_count": mask},
            "info of another length": {"count": np.zeros(self.num_envs + 1), "_count": mask},
            "mask of ints": {"count": self.count.copy(), "_count": mask.astype(int)},
            "inner mask beyond the outer": {
                "n": {"count": self.count.copy(), "_count": mask},
                "_n": np.zeros_like(mask),
            },
            "info shared": {"count": self.count, "_count": mask},
        }.get(self.fault, {})

    def observation(self, call: str) -> np.ndarray:
        if self.fault in ("memory shared", f"{call} obs a view", f"{call} obs read again"):
            return self.place
        if self.fault == "obs of float64":
            return self.place.astype(np.float64)
        if self.fault == "obs out of space":
            return self.place + 1000
        return self.place.copy()

    def close(self, **kwargs):
        if self.fault != "never closed":
            super().close(**kwargs)


class SingleWalk(gym.Env):
    """A single environment of Walk."""

    def __init__(self) -> None:
        self.walk = Walk(AutoresetMode.DISABLED, num_envs=1)
        self.observation_space, self.action_space = self.walk.single_observation_space, self.walk.single_action_space

    def reset(self, *, seed=None, options=None):
        obs, _ = self.walk.reset(seed=seed)
        return obs[0], {}

    def step(self, action):
        obs, reward, _, truncations, _ = self.walk.step(np.array(action)[None])
        return obs[0], float(reward[0]), False, bool(truncations[0]), {}


@pytest.mark.parametrize("mode", MODES)
def test_a_correct_environment_passes(mode):
    check_vector_env(lambda: Walk(mode), SingleWalk, options={"start": np.zeros(2)})
    check_vector_env(lambda: Walk(mode, num_envs=1))


ANY = AutoresetMode.NEXT_STEP
FAULTS = [
    (ANY, "mode as a string", "AutoresetMode"),
    (ANY, "metadata of the class", "a dict of its own"),
    (ANY, "spaces do not match", "3 of single_observation_space make"),
    (ANY, "obs of float64", r"float64 \(3, 2\), expected float32"),
    (ANY, "obs out of space", "not in observation_space"),
    (ANY, "rewards as a list", "rewards is a list"),
    (ANY, "flags of floats", "terminations is float64"),
    (ANY, "info without a mask", "needs a mask '_count'"),
    (ANY, "mask without an info", "no key 'count'"),
    (ANY, "info as a list", "a list, expected a NumPy array"),
    (ANY, "info of another length", "an entry for each environment"),
    (ANY, "mask of ints", "needs a mask '_count', bool"),
    (ANY, "inner mask beyond the outer", "the dict around it"),
    (ANY, "not seeded", "two instances differ under the same seed"),
    (ANY, "seeds all equal", "environment i must follow from seed"),
    (ANY, "seeds in pairs", "environment i must follow from seed"),
    (ANY, "an environment changes the next", "environment i must follow from seed"),
    (ANY, "actions changed", "changed the caller's actions"),
    (ANY, "action not ignored", "must ignore the action|must be 0"),
    (ANY, "reward not 0", "rewards must be 0"),
    (ANY, "ends twice", "truncations must be 0"),
    (ANY, "options written into", r"changed the caller's options: \['start'\]\[0\]"),
    (ANY, "memory shared", "share memory"),
    (ANY, "info shared", "share memory"),
    (ANY, "reset obs a view", "changed by a later one"),
    (ANY, "reset obs read again", "overwriting returned values"),
    (ANY, "step obs a view", "share memory"),
    (ANY, "never closed", "closed"),
    (AutoresetMode.SAME_STEP, "no final_obs", "'_final_obs'.*exactly the environments that ended"),
    (AutoresetMode.SAME_STEP, "final_obs of all", "None, because that environment did not end"),
    (AutoresetMode.SAME_STEP, "final_obs stacked", "expected an object array"),
    (AutoresetMode.SAME_STEP, "final_obs a view", "changed by a later one|share memory|overwriting"),
    (AutoresetMode.DISABLED, "options popped", "changed the caller's options.*reset_mask"),
    (AutoresetMode.DISABLED, "mask ignored", "must not change the other environments"),
    (AutoresetMode.DISABLED, "infos of all", "must be False outside of the mask"),
    (AutoresetMode.DISABLED, "masked seeds renumbered", "must seed environment i with seed"),
]


@pytest.mark.parametrize(("mode", "fault", "message"), FAULTS, ids=[fault for _, fault, _ in FAULTS])
def test_every_fault_is_found(mode, fault, message):
    with pytest.raises(AssertionError, match=message):
        check_vector_env(lambda: Walk(mode, fault), options={"start": np.zeros(2)})


@pytest.mark.parametrize(
    ("fault", "message"),
    [("not begun", "obs differs from single"), ("final_obs after the restart", "final_obs differs from the last obs")],
)
def test_some_faults_are_found_with_single_environments_only(fault, message):
    check_vector_env(lambda: Walk(AutoresetMode.SAME_STEP, fault))
    with pytest.raises(AssertionError, match=message):
        check_vector_env(lambda: Walk(AutoresetMode.SAME_STEP, fault), SingleWalk)


def make_cartpole(mode, env_id="CartPole-v1"):
    return gym.make_vec(env_id, 3, "sync", vector_kwargs={"autoreset_mode": mode})


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasiums_environments_pass(mode):
    check_vector_env(lambda: make_cartpole(mode), lambda: gym.make("CartPole-v1"))
    check_vector_env(lambda: RecordEpisodeStatistics(make_cartpole(mode)), skip=["determinism", "memory"])  # wall time


def test_gymnasiums_environments_pass_except_for_changed_options():
    mode = AutoresetMode.DISABLED
    check_vector_env(lambda: make_cartpole(mode), lambda: gym.make("CartPole-v1"), skip=["options"])
    with pytest.raises(AssertionError, match="changed the caller's options"):
        check_vector_env(lambda: make_cartpole(mode))


def test_cartpoles_vector_environment_does_not_seed_environments_separately():
    with pytest.raises(AssertionError, match="environment i must follow from seed"):
        check_vector_env(lambda: gym.make_vec("CartPole-v1", 3), skip=["spaces"])  # its metadata is shared too


def test_an_environment_without_ends_is_refused():
    with pytest.raises(AssertionError, match="no episode ended in 5 random steps"):
        check_vector_env(lambda: make_cartpole(ANY), max_steps=5)


def test_unknown_checks_are_refused():
    assert next(iter(CHECKS)) == "spaces"
    with pytest.raises(metarl.MetarlError, match="did you mean 'memory'"):
        check_vector_env(lambda: make_cartpole(ANY), skip=["memroy"])
