"""`metarl.check_vector_env`: a checker of vector environments, like Gymnasium's `check_env` of single ones.

It works with any `gymnasium.vector.VectorEnv`, not only with metarl's environments.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space, create_empty_array

from metarl.errors import unknown
from metarl.gym_api.checker_tools import (
    NUMBERS,
    Recording,
    autoreset_mode,
    describe,
    ended_in,
    find_difference,
    leaves,
    require,
    require_same,
)

AFTER_END = 3  # steps recorded after the first end of an episode


def check_vector_env(
    make: Callable[[], VectorEnv],
    make_single: Callable[[], gym.Env] | None = None,
    *,
    seed: int = 123,
    options: Mapping[str, Any] | None = None,
    max_steps: int = 1000,
    skip: Collection[str] = (),
) -> None:
    """Raise AssertionError with the reason if a vector environment breaks Gymnasium's conventions.

    make: returns a new environment, the same each time, of the autoreset mode to check. Some checks need at least 2
    environments in it. make_single: returns the single environment that environment i must equal when seeded with
    seed + i, exactly and through autoresets. options: options of `reset` beside `reset_mask`. max_steps: number of
    random steps within which an episode ends. skip: names of checks, keys of CHECKS.
    """
    for name in skip:
        if name not in CHECKS:
            raise unknown("check", name, CHECKS)
    case = Case(make, make_single, seed, options, max_steps)
    for name, check in CHECKS.items():
        try:
            if name not in skip:
                check(case)
        finally:
            case.close()


class Case:
    """Constructors and options of the environments to check. `close` closes all environments that `make` returned."""

    def __init__(
        self,
        make: Callable[[], VectorEnv],
        make_single: Callable[[], gym.Env] | None,
        seed: int,
        options: Mapping[str, Any] | None,
        max_steps: int,
    ) -> None:
        self.make_single = make_single
        self.seed = seed
        self.options = options
        self.max_steps = max_steps
        self._make = make
        self._envs: list[VectorEnv] = []

    def make(self) -> VectorEnv:
        self._envs.append(self._make())
        return self._envs[-1]

    def close(self) -> None:
        while self._envs:
            self._envs.pop().close()

    def record(self, steps: int | None = None, seed: int | None = None, spoil: bool = False) -> Recording:
        """Return a recording of a new environment, by default of `first_end` + AFTER_END steps."""
        recording = Recording(self.make(), self.seed if seed is None else seed, spoil)
        for _ in range(self.first_end + AFTER_END if steps is None else steps):
            recording.step()
        return recording

    @cached_property
    def mode(self) -> AutoresetMode:
        return autoreset_mode(self.make())

    @cached_property
    def first_end(self) -> int:
        """Number of steps until the first episode ends."""
        recording = Recording(self.make(), self.seed)
        for step in range(1, self.max_steps + 1):
            recording.step()
            if recording.ended.any():
                return step
        raise AssertionError(
            f"no episode ended in {self.max_steps} random steps, so autoreset cannot be checked: give a larger "
            "max_steps, or an environment with shorter episodes"
        )


def check_spaces(case: Case) -> None:
    """Check that attributes exist and fit each other, and that every instance has its own metadata."""
    env, other = case.make(), case.make()
    require(isinstance(env, VectorEnv), f"{env!r} is not a gymnasium.vector.VectorEnv")
    n = env.num_envs
    require(isinstance(n, int) and n >= 1, f"num_envs is {n!r}, not a whole number of at least 1")
    for what in ("observation", "action"):
        expected, batched = batch_space(getattr(env, f"single_{what}_space"), n), getattr(env, f"{what}_space")
        require(batched == expected, f"{what}_space is {batched}, but {n} of single_{what}_space make {expected}")
    metadata = env.unwrapped.metadata
    mode = metadata.get("autoreset_mode")
    known = isinstance(mode, AutoresetMode)
    require(known, f"metadata['autoreset_mode'] is {mode!r}, not a member of gymnasium.vector.AutoresetMode")
    shared = metadata is type(env.unwrapped).metadata or metadata is other.unwrapped.metadata
    require(not shared, "metadata is shared with the class or another instance: give each instance a dict of its own")
    modes = metadata.get("render_modes", [])
    require(env.render_mode in [None, *modes], f"render_mode {env.render_mode!r} is not in metadata: {modes}")


def check_returns(case: Case) -> None:
    """Check types, dtypes and shapes of the values that `reset` and `step` return."""
    recording = case.record()
    space, n = recording.env.observation_space, recording.num_envs
    empty = list(leaves(create_empty_array(recording.env.single_observation_space, n)))
    for index, call in enumerate(recording.raw_calls):
        where = f"call {index} ({'step' if 'rewards' in call else 'reset'})"
        for leaf, like in zip(leaves(call["obs"]), empty, strict=False):
            fits = leaf.dtype == like.dtype and leaf.shape == like.shape
            require(fits, f"{where}: the observation is {describe(leaf)}, expected {describe(like)}")
        inside = space.contains(call["obs"])
        require(inside, f"{where}: the observation is not in observation_space: {call['obs']!r}")
        for name in NUMBERS:
            value, kinds = call.get(name), "fiu" if name == "rewards" else "b"
            fits = isinstance(value, np.ndarray) and value.shape == (n,) and value.dtype.kind in kinds
            expected = f"an array ({n},) of {'numbers' if name == 'rewards' else 'bool'}"
            require(fits or name not in call, f"{where}: {name} is {describe(value)}, expected {expected}")


def check_infos(case: Case) -> None:
    """Check that keys of infos have masks `_key`, and that values are arrays of num_envs entries, or dicts of them."""
    recording = case.record()
    for index, call in enumerate(recording.raw_calls):
        infos, where = call["infos"], f"call {index}: infos"
        require(isinstance(infos, dict), f"{where} is {describe(infos)}, expected a dict")
        _check_info_dict(infos, np.ones(recording.num_envs, bool), where, nested=False)


def _check_info_dict(infos: Mapping[str, Any], outer: np.ndarray, where: str, nested: bool) -> None:
    n = len(outer)
    for key, value in infos.items():
        if key.startswith("_"):
            require(key[1:] in infos, f"{where} has the mask {key!r} but no key {key[1:]!r}")
            continue
        mask = infos.get(f"_{key}", outer if nested else None)  # Gymnasium's own wrappers omit masks in nested dicts
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (n,):
            raise AssertionError(f"{where}[{key!r}] needs a mask '_{key}', bool ({n},), got {describe(mask)}")
        inside = not (mask & ~outer).any()
        require(inside, f"{where}['_{key}'] selects environments that the mask of the dict around it does not")
        if isinstance(value, dict):
            _check_info_dict(value, mask, f"{where}[{key!r}]", nested=True)
        else:
            fits = isinstance(value, np.ndarray) and value.ndim >= 1 and len(value) == n
            expected = "expected a NumPy array with an entry for each environment"
            require(fits, f"{where}[{key!r}] is {describe(value)}, {expected}")


def check_determinism(case: Case) -> None:
    """Check that the same seed and actions give the same results in two instances, and again in the same instance."""
    recording, other = case.record(), case.record()
    require_same(recording.calls, other.calls, "two instances differ under the same seed and actions, at [call]")
    count = len(recording.calls)
    recording.restart(case.seed)
    while len(recording.calls) < 2 * count:
        recording.step()
    again = recording.calls[count:]
    require_same(other.calls, again, "an instance reset with its seed differs from a new one, at [call]")


def check_seeding(case: Case) -> None:
    """Check that environment i is seeded with seed + i: it equals environment i - 1 under the next seed."""
    steps = case.first_end + AFTER_END
    if case.mode is AutoresetMode.DISABLED:  # until the first end: after it the two are reset in different calls
        steps = min(case.first_end, Case(case.make, None, case.seed + 1, None, case.max_steps).first_end)
    recording, other = case.record(steps), case.record(steps, seed=case.seed + 1)
    for i in range(1, recording.num_envs):
        for call in range(steps + 1):
            require_same(
                recording.of_environment(call, i),
                other.of_environment(call, i - 1),
                f"environment i must follow from seed + i alone, but at call {call} environment {i} under seed "
                f"{case.seed} is not environment {i - 1} under seed {case.seed + 1}",
            )


def check_singles(case: Case) -> None:
    """Check that environment i equals the single environment seeded with seed + i, through autoresets."""
    if case.make_single is None:
        return
    recording = case.record()
    singles = Case(lambda: _sync(case, recording.num_envs), None, case.seed, None, case.max_steps)
    reference = singles.record(case.first_end + AFTER_END)
    for index, (call, expected_call) in enumerate(zip(recording.calls, reference.calls, strict=False)):
        for name in ("obs", *NUMBERS):
            expected = expected_call.get(name)
            if name == "rewards" and isinstance(expected, np.ndarray):
                expected = expected.astype(call[name].dtype)
            message = f"at call {index}, {name} differs from single environments seeded with seed + i"
            require_same(call.get(name), expected, message)
        final, expected = (c["infos"].get("final_obs") for c in (call, expected_call))
        require_same(final, expected, f"at call {index}, final_obs differs from the last obs of single environments")
    singles.close()


def _sync(case: Case, n: int) -> VectorEnv:
    assert case.make_single is not None
    return SyncVectorEnv([case.make_single] * n, autoreset_mode=case.mode)


def check_autoreset(case: Case) -> None:
    """Check the calls around the end of an episode against the mode in the metadata."""
    modes = {
        AutoresetMode.NEXT_STEP: _check_next_step,
        AutoresetMode.SAME_STEP: _check_same_step,
        AutoresetMode.DISABLED: _check_disabled,
    }
    modes[case.mode](case)


def _check_next_step(case: Case) -> None:
    recording, other = case.record(case.first_end), case.record(case.first_end)
    over = recording.ended
    actions, others = recording.sample(), other.sample()
    for i in np.flatnonzero(over):
        for _ in range(10):  # another action for the environments that ended
            others[i] = other.spaces[i].sample()
            if find_difference(actions[i], others[i]):
                break
    recording.step(actions)
    other.step(others)
    for name in NUMBERS:
        wrong = np.flatnonzero(over & (recording.last[name] != 0)).tolist()
        require(not wrong, f"NEXT_STEP: in the step after an end, {name} must be 0, but is not in environments {wrong}")
    message = "NEXT_STEP: the step after an end must ignore the action of environments that ended"
    require_same(recording.last, other.last, message)


def _check_same_step(case: Case) -> None:
    recording = case.record()
    n = recording.num_envs
    for index, call in enumerate(recording.calls):
        over = ended_in(call, n)
        for key in ("final_obs", "final_info"):
            mask = call["infos"].get(f"_{key}", np.zeros(n, bool))
            message = f"SAME_STEP: at call {index}, infos['_{key}'] must select exactly the environments that ended"
            require_same(mask, over, message)
        if over.any():
            _check_final(call["infos"], over, recording.env.single_observation_space)


def _check_final(infos: Mapping[str, Any], over: np.ndarray, space: gym.Space) -> None:
    final = infos["final_obs"]
    fits = isinstance(final, np.ndarray) and final.dtype == object and final.shape == over.shape
    require(fits, f"SAME_STEP: infos['final_obs'] is {describe(final)}, expected an object array {over.shape}")
    for i, obs in enumerate(final):
        fits = space.contains(obs) if over[i] else obs is None
        expected = "one in single_observation_space" if over[i] else "None, because that environment did not end"
        require(fits, f"SAME_STEP: infos['final_obs'][{i}] is {obs!r}, expected {expected}")
    require(isinstance(infos["final_info"], dict), "SAME_STEP: infos['final_info'] must be a dict like infos")


def _check_disabled(case: Case) -> None:
    recording, other = case.record(case.first_end // 2), case.record(case.first_end // 2)
    mask = np.arange(recording.num_envs) == 0
    others = np.flatnonzero(~mask).tolist()
    rule = "DISABLED: a reset with reset_mask must not change the other environments, but"
    recording.reset(options={"reset_mask": mask.copy()})
    for i in others:
        obs, expected = (r.of_environment(-1, i)["obs"] for r in (recording, other))
        require_same(obs, expected, f"{rule} it changed the observation of environment {i}")
    for key, value in recording.last["infos"].items():
        wrong = key.startswith("_") and (value & ~mask).any()
        require(not wrong, f"DISABLED: after a reset with reset_mask, infos[{key!r}] must be False outside of the mask")
    while not (recording.ended | other.ended).any():
        recording.step()
        other.step()
        for i in others:
            values, expected = recording.of_environment(-1, i), other.of_environment(-1, i)
            require_same(values, expected, f"{rule} later steps of environment {i} differ")
    recording.reset(case.seed + 7, {"reset_mask": mask.copy()})
    other.reset(case.seed + 7)
    message = "DISABLED: a seed given with reset_mask must seed environment i with seed + i, as it does without"
    require_same(recording.of_environment(-1, 0), other.of_environment(-1, 0), message)


def check_options(case: Case) -> None:
    """Check that `reset` does not change the caller's options."""
    recording = Recording(case.make(), case.seed)
    options = dict(case.options or {})
    if case.mode is AutoresetMode.DISABLED:
        options["reset_mask"] = np.arange(recording.num_envs) == 0
    given = copy.deepcopy(options)
    recording.reset(options=options)
    require_same(given, options, "reset changed the caller's options")


def check_memory(case: Case) -> None:
    """Check that later calls do not change returned values, and that changing them has no effect on later calls."""
    recording, spoilt = case.record(), case.record(spoil=True)
    calls = dict(enumerate(recording.raw_calls))
    around = sorted({*list(calls)[:3], *list(calls)[-AFTER_END - 2 :]})  # the first calls, and those around an end
    for i, j in combinations(around, 2):
        for name in calls[i].keys() & calls[j].keys():
            pairs = ((x, y) for x in leaves(calls[i][name]) for y in leaves(calls[j][name]))
            shared = any(np.shares_memory(x, y) for x, y in pairs)
            require(not shared, f"{name} of calls {i} and {j} share memory: return copies")
    message = "values that a call returned were changed by a later one, at [call]"
    require_same(recording.calls, recording.raw_calls, message)
    message = "overwriting returned values changed later results (return copies of internal arrays), at [call]"
    require_same(recording.calls, spoilt.calls, message)


def check_render(case: Case) -> None:
    """Check that render_mode "rgb_array" returns a picture of each environment."""
    recording = Recording(case.make(), case.seed)
    if recording.env.render_mode != "rgb_array":
        return
    frames, n = recording.env.render(), recording.num_envs
    if not isinstance(frames, tuple | list) or len(frames) != n:
        raise AssertionError(f"render() must return a tuple of {n} pictures, got {describe(frames)}")
    for frame in frames:
        fits = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
        require(fits, f"render() returned {describe(frame)}, expected uint8 (height, width, 3)")


def check_close(case: Case) -> None:
    """Check that an environment can be closed twice."""
    env = case.make()
    env.close()
    require(env.unwrapped.closed, "close() must set `closed`: release resources in close_extras() instead")
    env.close()


CHECKS: dict[str, Callable[[Case], None]] = {
    "spaces": check_spaces, "returns": check_returns, "infos": check_infos, "determinism": check_determinism,
    "seeding": check_seeding, "singles": check_singles, "autoreset": check_autoreset, "options": check_options,
    "memory": check_memory, "render": check_render, "close": check_close,
}  # fmt: skip
