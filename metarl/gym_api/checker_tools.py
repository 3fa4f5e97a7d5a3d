"""What the checker of vector environments plays with: an environment, everything it returned, and comparisons."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

Record = dict[str, Any]  # what one call returned, by name; reset returns "obs" and "infos" only
RETURNED = ("obs", "rewards", "terminations", "truncations", "infos")
NUMBERS = RETURNED[1:4]


class Play:
    """An environment, reset and stepped. Lane i's actions follow from seed + i, so that lanes can be compared.

    In DISABLED mode, lanes that ended are reset by their mask before the next step. `spoil` overwrites whatever was
    returned, as a user may.
    """

    def __init__(self, env: VectorEnv, seed: int, spoil: bool = False) -> None:
        self.env = env
        self.num_envs = env.num_envs
        self.mode = autoreset_mode(env)
        self.spoil = spoil
        self.raw: list[Record] = []  # what was returned, itself
        self.records: list[Record] = []  # deep copies of it, made at once
        self.spaces = [copy.deepcopy(env.single_action_space) for _ in range(env.num_envs)]
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Everything from the start: the environment and the actions."""
        for i, space in enumerate(self.spaces):
            space.seed(seed + i)
        self.reset(seed)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self._keep(dict(zip(("obs", "infos"), self.env.reset(seed=seed, options=options), strict=True)))

    def step(self, actions: list[Any] | None = None) -> None:
        """A step with these actions, one for each lane, or with the next random ones."""
        if self.mode is AutoresetMode.DISABLED and self.ended.any():
            self.reset(options={"reset_mask": self.ended})
        space = self.env.single_action_space
        actions = self.sample() if actions is None else actions
        batch = concatenate(space, actions, create_empty_array(space, self.num_envs))
        given = copy.deepcopy(batch)
        self._keep(dict(zip(RETURNED, self.env.step(batch), strict=True)))
        require_same(given, batch, "step changed the actions it was given")

    def sample(self) -> list[Any]:
        """The next random action of each lane."""
        return [space.sample() for space in self.spaces]

    @property
    def last(self) -> Record:
        return self.records[-1]

    @property
    def ended(self) -> np.ndarray:
        """bool [n], lanes whose episode ended in the last call."""
        return ended_in(self.last, self.num_envs)

    def lane(self, call: int, i: int) -> Record:
        """What a call returned for lane i, infos left out."""
        record = self.records[call]
        obs = list(iterate(self.env.observation_space, record["obs"]))[i]
        return {"obs": obs} | {name: record[name][i] for name in NUMBERS if name in record}

    def _keep(self, record: Record) -> None:
        self.raw.append(record)
        self.records.append(copy.deepcopy(record))
        for leaf in leaves(record) if self.spoil else ():
            if leaf.flags.writeable:
                leaf[...] = ~leaf if leaf.dtype == np.bool_ else 77


def autoreset_mode(env: VectorEnv) -> AutoresetMode:
    return env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)


def ended_in(record: Record, n: int) -> np.ndarray:
    """bool [n], lanes whose episode ended in this call."""
    none = np.zeros(n, bool)
    return np.asarray(record.get("terminations", none), bool) | np.asarray(record.get("truncations", none), bool)


def require(fact: Any, message: str) -> None:
    """AssertionError with the message unless the fact holds (an assert statement may be switched off)."""
    if not fact:
        raise AssertionError(message)


def require_same(a: Any, b: Any, message: str) -> None:
    """AssertionError with the message and the first difference, unless a and b are equal in type and value."""
    difference = find_difference(a, b)
    require(not difference, f"{message}: {difference}")


def find_difference(a: Any, b: Any, where: str = "") -> str:
    """Where two nested structures differ first, in type, shape, dtype or value, and how; "" if nowhere."""
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
    """Every array of numbers in a nested structure."""
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
