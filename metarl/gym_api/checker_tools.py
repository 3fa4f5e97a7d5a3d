"""Tools of the checker of vector environments: recordings of everything that one returns, and comparisons."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

Call = dict[str, Any]  # the values that one call returned, by name; reset returns "obs" and "infos" only
RETURNED = ("obs", "rewards", "terminations", "truncations", "infos")
NUMBERS = RETURNED[1:4]


class Recording:
    """An environment and everything that its calls returned.

    The actions of environment i are a function of seed + i, so that environments can be compared. In DISABLED mode,
    environments that ended are reset by a mask before the next step. `spoil` overwrites all returned arrays, as a user
    may do.
    """

    def __init__(self, env: VectorEnv, seed: int, spoil: bool = False) -> None:
        self.env = env
        self.num_envs = env.num_envs
        self.mode = autoreset_mode(env)
        self.spoil = spoil
        self.raw_calls: list[Call] = []  # the returned objects themselves
        self.calls: list[Call] = []  # deep copies of them, made immediately
        self.spaces = [copy.deepcopy(env.single_action_space) for _ in range(env.num_envs)]
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Seed and reset the environment, and seed the actions."""
        for i, space in enumerate(self.spaces):
            space.seed(seed + i)
        self.reset(seed)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self._append(dict(zip(("obs", "infos"), self.env.reset(seed=seed, options=options), strict=True)))

    def step(self, actions: list[Any] | None = None) -> None:
        """Step with these actions, one for each environment, or with the next random actions."""
        if self.mode is AutoresetMode.DISABLED and self.ended.any():
            self.reset(options={"reset_mask": self.ended})
        space = self.env.single_action_space
        actions = self.sample() if actions is None else actions
        batch = concatenate(space, actions, create_empty_array(space, self.num_envs))
        given = copy.deepcopy(batch)
        self._append(dict(zip(RETURNED, self.env.step(batch), strict=True)))
        require_same(given, batch, "step changed the caller's actions")

    def sample(self) -> list[Any]:
        """Return the next random action of each environment."""
        return [space.sample() for space in self.spaces]

    @property
    def last(self) -> Call:
        return self.calls[-1]

    @property
    def ended(self) -> np.ndarray:
        """bool [n], environments whose episode ended in the last call."""
        return ended_in(self.last, self.num_envs)

    def of_environment(self, index: int, i: int) -> Call:
        """Return the values that call `index` returned for environment i, without infos."""
        call = self.calls[index]
        obs = list(iterate(self.env.observation_space, call["obs"]))[i]
        return {"obs": obs} | {name: call[name][i] for name in NUMBERS if name in call}

    def _append(self, call: Call) -> None:
        self.raw_calls.append(call)
        self.calls.append(copy.deepcopy(call))
        for leaf in leaves(call) if self.spoil else ():
            if leaf.flags.writeable:
                leaf[...] = ~leaf if leaf.dtype == np.bool_ else 77


def autoreset_mode(env: VectorEnv) -> AutoresetMode:
    return env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)


def ended_in(call: Call, n: int) -> np.ndarray:
    """Return bool [n], environments whose episode ended in this call."""
    none = np.zeros(n, bool)
    return np.asarray(call.get("terminations", none), bool) | np.asarray(call.get("truncations", none), bool)


def require(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds, even if assert statements are disabled."""
    if not condition:
        raise AssertionError(message)


def require_same(a: Any, b: Any, message: str) -> None:
    """Raise AssertionError with the message and the first difference unless a and b are equal in type and value."""
    difference = find_difference(a, b)
    require(not difference, f"{message}: {difference}")


def find_difference(a: Any, b: Any, where: str = "") -> str:
    """Return the first difference of two nested structures in type, shape, dtype or value; "" if there is none."""
    if type(a) is not type(b):
        return f"{where or 'one'} is a {type(a).__name__} here, a {type(b).__name__} there"
    if isinstance(a, Mapping):
        if a.keys() != b.keys():
            return f"{where or 'one'} has the keys {sorted(a)} here, {sorted(b)} there"
        return next(filter(None, (find_difference(a[key], b[key], f"{where}[{key!r}]") for key in a)), "")
    if isinstance(a, list | tuple) or (isinstance(a, np.ndarray) and a.dtype == object):
        if len(a) != len(b):
            return f"{where or 'one'} has {len(a)} entries here, {len(b)} there"
        items = enumerate(zip(a, b, strict=True))
        return next(filter(None, (find_difference(x, y, f"{where}[{i}]") for i, (x, y) in items)), "")
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{where or 'one'} is {describe(a)} here, {describe(b)} there"
        unequal = np.argwhere((a != b) & ~((a != a) & (b != b)))  # NaN equals NaN
        if not len(unequal):
            return ""
        index = tuple(unequal[0].tolist())
        return f"{where}{list(index)} is {a[index]!r} here, {b[index]!r} there"
    return "" if a == b or (a != a and b != b) else f"{where or 'one'} is {a!r} here, {b!r} there"


def leaves(data: Any) -> Iterator[np.ndarray]:
    """Yield every array of numbers in a nested structure."""
    if isinstance(data, Mapping):
        data = data.values()
    elif isinstance(data, np.ndarray):
        if data.dtype != object:
            yield data
            return
        data = data.flat
    elif not isinstance(data, list | tuple):
        return
    for item in data:
        yield from leaves(item)


def describe(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
