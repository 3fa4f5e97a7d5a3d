"""A checker for vector environments, as Gymnasium's `check_env` is for single ones.

It knows nothing of metarl's environments: use it on any `gymnasium.vector.VectorEnv`.
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
    Play,
    autoreset_mode,
    describe,
    ended_in,
    find_difference,
    leaves,
    require,
    require_same,
)

AFTER_END = 3  # steps played after the first end of an episode


def check_vector_env(
    make: Callable[[], VectorEnv],
    make_single: Callable[[], gym.Env] | None = None,
    *,
    seed: int = 123,
    options: Mapping[str, Any] | None = None,
    max_steps: int = 1000,
    skip: Collection[str] = (),
) -> None:
    """Raise AssertionError, saying what is wrong, where a vector environment breaks Gymnasium's conventions.

    make: a new environment, the same each time, of the autoreset mode to check; 2 lanes or more show the most.
    make_single: what lane i must equal when it is seeded with seed + i, exactly and through autoresets.
    options: what `reset` may be given beside `reset_mask`. max_steps: an episode ends within so many random steps.
    skip: names of checks, keys of CHECKS.
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
    """What is checked; closes what it made."""

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
        self._made: list[VectorEnv] = []

    def make(self) -> VectorEnv:
        self._made.append(self._make())
        return self._made[-1]

    def close(self) -> None:
        while self._made:
            self._made.pop().close()

    def play(self, steps: int | None = None, seed: int | None = None, spoil: bool = False) -> Play:
        """A new environment, played for some steps: by default to a little past the first end of an episode."""
        play = Play(self.make(), self.seed if seed is None else seed, spoil)
        for _ in range(self.first_end + AFTER_END if steps is None else steps):
            play.step()
        return play

    @cached_property
    def mode(self) -> AutoresetMode:
        return autoreset_mode(self.make())

    @cached_property
    def first_end(self) -> int:
        """Steps until the first episode ends."""
        play = Play(self.make(), self.seed)
        for step in range(1, self.max_steps + 1):
            play.step()
            if play.ended.any():
                return step
        raise AssertionError(
            f"no episode ended in {self.max_steps} random steps, so autoreset cannot be checked: give a larger "
            "max_steps, or an environment with shorter episodes"
        )


def check_spaces(case: Case) -> None:
    """Attributes are there and fit each other; the metadata are the instance's own."""
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
    """Types, dtypes and shapes of what `reset` and `step` return."""
    play = case.play()
    space, n = play.env.observation_space, play.num_envs
    empty = list(leaves(create_empty_array(play.env.single_observation_space, n)))
    for call, record in enumerate(play.raw):
        where = f"call {call} ({'step' if 'rewards' in record else 'reset'})"
        for leaf, like in zip(leaves(record["obs"]), empty, strict=False):
            fits = leaf.dtype == like.dtype and leaf.shape == like.shape
            require(fits, f"{where}: the observation is {describe(leaf)}, expected {describe(like)}")
        inside = space.contains(record["obs"])
        require(inside, f"{where}: the observation is not in observation_space: {record['obs']!r}")
        for name in NUMBERS:
            value, kinds = record.get(name), "fiu" if name == "rewards" else "b"
            fits = isinstance(value, np.ndarray) and value.shape == (n,) and value.dtype.kind in kinds
            expected = f"an array ({n},) of {'numbers' if name == 'rewards' else 'bool'}"
            require(fits or name not in record, f"{where}: {name} is {describe(value)}, expected {expected}")


def check_infos(case: Case) -> None:
    """Each key of infos has a mask `_key`; values are arrays with an entry for each lane, or dicts of such."""
    play = case.play()
    for call, record in enumerate(play.raw):
        infos, where = record["infos"], f"call {call}: infos"
        require(isinstance(infos, dict), f"{where} is {describe(infos)}, expected a dict")
        _check_info_dict(infos, np.ones(play.num_envs, bool), where, nested=False)


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
        require(inside, f"{where}['_{key}'] names lanes that the mask of the dict around it does not")
        if isinstance(value, dict):
            _check_info_dict(value, mask, f"{where}[{key!r}]", nested=True)
        else:
            fits = isinstance(value, np.ndarray) and value.ndim >= 1 and len(value) == n
            require(fits, f"{where}[{key!r}] is {describe(value)}, expected a NumPy array with an entry for each lane")


def check_determinism(case: Case) -> None:
    """The same seed and actions lead to the same everything: in two instances, and again in the same one."""
    play, other = case.play(), case.play()
    require_same(play.records, other.records, "two instances differ under the same seed and actions, at [call]")
    calls = len(play.records)
    play.restart(case.seed)
    while len(play.records) < 2 * calls:
        play.step()
    again = play.records[calls:]
    require_same(other.records, again, "an instance reset with its seed differs from a new one, at [call]")


def check_seeding(case: Case) -> None:
    """Lane i is seeded with seed + i: lane i under a seed is lane i - 1 under the next seed."""
    steps = case.first_end + AFTER_END
    if case.mode is AutoresetMode.DISABLED:  # up to the first end: after it the two are reset in different calls
        steps = min(case.first_end, Case(case.make, None, case.seed + 1, None, case.max_steps).first_end)
    play, other = case.play(steps), case.play(steps, seed=case.seed + 1)
    for i in range(1, play.num_envs):
        for call in range(steps + 1):
            require_same(
                play.lane(call, i),
                other.lane(call, i - 1),
                f"lane i must follow from seed + i alone, but at call {call} lane {i} under seed {case.seed} "
                f"is not lane {i - 1} under seed {case.seed + 1}",
            )


def check_singles(case: Case) -> None:
    """Lane i is the single environment seeded with seed + i, through episode ends and autoresets."""
    if case.make_single is None:
        return
    play = case.play()
    singles = Case(lambda: _sync(case, play.num_envs), None, case.seed, None, case.max_steps)
    reference = singles.play(case.first_end + AFTER_END)
    for call, (record, expected) in enumerate(zip(play.records, reference.records, strict=False)):
        for name in ("obs", *NUMBERS):
            wanted = expected.get(name)
            if name == "rewards" and isinstance(wanted, np.ndarray):
                wanted = wanted.astype(record[name].dtype)
            what = f"at call {call}, {name} is not what single environments seeded with seed + i return"
            require_same(record.get(name), wanted, what)
        final, wanted = (r["infos"].get("final_obs") for r in (record, expected))
        require_same(final, wanted, f"at call {call}, final_obs is not where single environments ended")
    singles.close()


def _sync(case: Case, n: int) -> VectorEnv:
    assert case.make_single is not None
    return SyncVectorEnv([case.make_single] * n, autoreset_mode=case.mode)


def check_autoreset(case: Case) -> None:
    """What the mode in the metadata says happens around the end of an episode, exactly."""
    modes = {
        AutoresetMode.NEXT_STEP: _check_next_step,
        AutoresetMode.SAME_STEP: _check_same_step,
        AutoresetMode.DISABLED: _check_disabled,
    }
    modes[case.mode](case)


def _check_next_step(case: Case) -> None:
    play, other = case.play(case.first_end), case.play(case.first_end)
    over = play.ended
    actions, others = play.sample(), other.sample()
    for i in np.flatnonzero(over):
        for _ in range(10):  # another action for the lanes that ended
            others[i] = other.spaces[i].sample()
            if find_difference(actions[i], others[i]):
                break
    play.step(actions)
    other.step(others)
    for name in NUMBERS:
        wrong = np.flatnonzero(over & (play.last[name] != 0)).tolist()
        require(not wrong, f"NEXT_STEP: in the step after an end, {name} must be 0, but is not in lanes {wrong}")
    require_same(play.last, other.last, "NEXT_STEP: the step after an end must ignore the action of lanes that ended")


def _check_same_step(case: Case) -> None:
    play = case.play()
    n = play.num_envs
    for call, record in enumerate(play.records):
        over = ended_in(record, n)
        for key in ("final_obs", "final_info"):
            mask = record["infos"].get(f"_{key}", np.zeros(n, bool))
            what = f"SAME_STEP: at call {call}, infos['_{key}'] must name exactly the lanes that ended"
            require_same(mask, over, what)
        if over.any():
            _check_final(record["infos"], over, play.env.single_observation_space)


def _check_final(infos: Mapping[str, Any], over: np.ndarray, space: gym.Space) -> None:
    final = infos["final_obs"]
    fits = isinstance(final, np.ndarray) and final.dtype == object and final.shape == over.shape
    require(fits, f"SAME_STEP: infos['final_obs'] is {describe(final)}, expected an object array {over.shape}")
    for i, obs in enumerate(final):
        fits = space.contains(obs) if over[i] else obs is None
        expected = "one in single_observation_space" if over[i] else "None, for that lane did not end"
        require(fits, f"SAME_STEP: infos['final_obs'][{i}] is {obs!r}, expected {expected}")
    require(isinstance(infos["final_info"], dict), "SAME_STEP: infos['final_info'] must be a dict, as infos are")


def _check_disabled(case: Case) -> None:
    play, other = case.play(case.first_end // 2), case.play(case.first_end // 2)
    mask = np.arange(play.num_envs) == 0
    others = np.flatnonzero(~mask).tolist()
    alone = "DISABLED: a reset with reset_mask must leave the other lanes alone, but"
    play.reset(options={"reset_mask": mask.copy()})
    for i in others:
        require_same(play.lane(-1, i)["obs"], other.lane(-1, i)["obs"], f"{alone} it changed what lane {i} sees")
    for key, value in play.last["infos"].items():
        wrong = key.startswith("_") and (value & ~mask).any()
        require(not wrong, f"DISABLED: after a reset with reset_mask, infos[{key!r}] must be False outside of the mask")
    while not (play.ended | other.ended).any():
        play.step()
        other.step()
        for i in others:
            require_same(play.lane(-1, i), other.lane(-1, i), f"{alone} lane {i} went on differently")
    play.reset(case.seed + 7, {"reset_mask": mask.copy()})
    other.reset(case.seed + 7)
    seeded = "DISABLED: a seed given with reset_mask must seed lane i with seed + i, as it does without"
    require_same(play.lane(-1, 0), other.lane(-1, 0), seeded)


def check_options(case: Case) -> None:
    """`reset` leaves the caller's options as they are."""
    play = Play(case.make(), case.seed)
    options = dict(case.options or {})
    if case.mode is AutoresetMode.DISABLED:
        options["reset_mask"] = np.arange(play.num_envs) == 0
    given = copy.deepcopy(options)
    play.reset(options=options)
    require_same(given, options, "reset changed the caller's options")


def check_memory(case: Case) -> None:
    """What was returned is the user's: it does not change later, and changing it changes nothing."""
    play, spoilt = case.play(), case.play(spoil=True)
    calls = dict(enumerate(play.raw))
    around = sorted({*list(calls)[:3], *list(calls)[-AFTER_END - 2 :]})  # the start, and an episode's end
    for i, j in combinations(around, 2):
        for name in calls[i].keys() & calls[j].keys():
            pairs = ((x, y) for x in leaves(calls[i][name]) for y in leaves(calls[j][name]))
            shared = any(np.shares_memory(x, y) for x, y in pairs)
            require(not shared, f"{name} of calls {i} and {j} share memory: return copies")
    require_same(play.records, play.raw, "what an earlier call returned was changed by a later one, at [call]")
    message = "overwriting what was returned changed what happened later (return copies of internal arrays), at [call]"
    require_same(play.records, spoilt.records, message)


def check_render(case: Case) -> None:
    """With render_mode "rgb_array", a picture of each lane."""
    play = Play(case.make(), case.seed)
    if play.env.render_mode != "rgb_array":
        return
    frames, n = play.env.render(), play.num_envs
    if not isinstance(frames, tuple | list) or len(frames) != n:
        raise AssertionError(f"render() must return a tuple of {n} pictures, got {describe(frames)}")
    for frame in frames:
        fits = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
        require(fits, f"render() returned {describe(frame)}, expected uint8 (height, width, 3)")


def check_close(case: Case) -> None:
    """An environment can be closed, and closed again."""
    env = case.make()
    env.close()
    require(env.unwrapped.closed, "close() must set `closed`: release resources in close_extras() instead")
    env.close()


CHECKS: dict[str, Callable[[Case], None]] = {
    "spaces": check_spaces, "returns": check_returns, "infos": check_infos, "determinism": check_determinism,
    "seeding": check_seeding, "singles": check_singles, "autoreset": check_autoreset, "options": check_options,
    "memory": check_memory, "render": check_render, "close": check_close,
}  # fmt: skip
