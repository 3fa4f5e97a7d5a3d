"""Drawing the tasks of a distribution, and cutting them into train, valid, test and ood splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.errors import MetarlError
from metarl.tasks.samplers import Joint, Sampler
from metarl.tasks.samplers.values import round_to_float32

Params = dict[str, np.ndarray]  # name -> [n, *shape]
Names = str | tuple[str, ...]  # one parameter, or several drawn jointly
Samplers = Mapping[Any, Sampler]  # Names -> sampler; Any, because a Mapping is invariant in its keys

FRACTIONS = {"train": 0.7, "valid": 0.1, "test": 0.2}
SMALLEST_CUT = 10  # fewer tasks are not cut: a split would hold one task or none
LARGEST_ENUMERATED = 200_000  # larger finite distributions are cut by hash bucket instead of by rank
MAX_ATTEMPTS = 200  # rounds of rejection sampling before an error


@dataclass(frozen=True)
class Recipe:
    """The fields of a task distribution that its tasks are a function of."""

    name: str
    version: int
    parameters: Samplers
    ood: Samplers
    disjoint: bool  # whether train, valid and test share no task
    finite: Params | None  # every task of a finite, uniform distribution
    bounds: Mapping[str, tuple[float, float]]  # parameter -> its smallest and its largest allowed value


def draw(recipe: Recipe, split: str, n: int, seed: int) -> Params:
    """Return n tasks of a split. The result is a pure function of the arguments."""
    identity = f"{recipe.name}|{recipe.version}|{split}"
    if split == "ood":
        return _draw_ood(recipe, identity, n, seed)
    finite = recipe.finite
    if finite is not None:
        if recipe.disjoint and can_be_cut(finite):
            finite = select(finite, _ranked_split(finite, split))
        return select(finite, _balanced(size(finite), n, _generator(identity, seed)))
    if not recipe.disjoint:
        return _sample(recipe, recipe.parameters, n, identity, seed)
    return _draw_bucket(recipe, split, identity, n, seed)


def enumerate_tasks(parameters: Samplers) -> Params | None:
    """Return the product of all finite samplers, in a fixed order; None if one is not finite or tasks are too many."""
    values: Params = {}
    for names, sampler in parameters.items():
        support = sampler.finite()
        if support is None:
            return None
        values[str(names)] = support
    if not values or np.prod([float(len(v)) for v in values.values()]) > LARGEST_ENUMERATED:
        return None
    grid = np.meshgrid(*[np.arange(len(v)) for v in values.values()], indexing="ij")
    return {name: v[index.ravel()] for (name, v), index in zip(values.items(), grid, strict=True)}


def size(tasks: Params | None) -> int:
    return 0 if tasks is None else len(next(iter(tasks.values())))


def select(tasks: Params, index: np.ndarray) -> Params:
    return {name: values[index] for name, values in tasks.items()}


def can_be_cut(tasks: Params) -> bool:
    return size(tasks) >= SMALLEST_CUT


def content_hash(tasks: Params) -> np.ndarray:
    """Return uint64 [n], a stable hash of each task's names and numbers that is equal on every machine."""
    columns = [np.ascontiguousarray(values).reshape(len(values), -1) for _, values in sorted(tasks.items())]
    names = ",".join(sorted(tasks)).encode()
    rows = [column.astype("<i8" if column.dtype.kind in "iu" else "<f8") for column in columns]
    return np.array(
        [
            int.from_bytes(
                hashlib.blake2b(names + b"".join(row[i].tobytes() for row in rows), digest_size=8).digest(), "big"
            )
            for i in range(size(tasks))
        ],
        dtype=np.uint64,
    )


def _ranked_split(tasks: Params, split: str) -> np.ndarray:
    """Return the indices of a split's exact fraction of a finite distribution, by rank of the content hash."""
    order = np.argsort(content_hash(tasks), kind="stable")
    n = len(order)
    valid, test = (max(1, round(FRACTIONS[s] * n)) for s in ("valid", "test"))
    cuts = {"test": order[:test], "valid": order[test : test + valid], "train": order[test + valid :]}
    return np.sort(cuts[split])


def _balanced(count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n indices below `count` in random order. The frequencies of two indices differ by at most one."""
    rounds = [rng.permutation(count) for _ in range(-(-n // count))]
    return np.concatenate(rounds)[:n]


def _draw_bucket(recipe: Recipe, split: str, identity: str, n: int, seed: int) -> Params:
    """Return n draws from the samplers whose hash falls into the split's fraction of the hash's range."""
    edges = np.cumsum([0.0, *FRACTIONS.values()]) * 2.0**64
    edges[-1] = np.inf  # the fractions' rounded sum is a little less than 1
    index = list(FRACTIONS).index(split)
    kept: list[Params] = []
    for attempt in range(MAX_ATTEMPTS):
        count = max(16, int(1.2 * n / FRACTIONS[split]))
        tasks = _sample(recipe, recipe.parameters, count, identity, seed, attempt)
        h = content_hash(tasks).astype(np.float64)
        kept.append(select(tasks, np.flatnonzero((h >= edges[index]) & (h < edges[index + 1]))))
        if sum(map(size, kept)) >= n:
            return {name: np.concatenate([k[name] for k in kept])[:n] for name in kept[0]}
    raise MetarlError(f"{recipe.name}: its samplers yield too few different tasks for a {split} split; use split='iid'")


def _draw_ood(recipe: Recipe, identity: str, n: int, seed: int) -> Params:
    """Return n draws: of the names in `ood` outside of the training support, of all others as in training."""
    params: Params = {}
    for names, sampler in {**recipe.parameters, **recipe.ood}.items():
        if names not in recipe.ood:
            params |= _sample(recipe, {names: sampler}, n, identity, seed)
            continue
        kept: list[Params] = []
        for attempt in range(MAX_ATTEMPTS):
            drawn = _sample(recipe, {names: sampler}, n, identity, seed, attempt)
            train = recipe.parameters[names]
            inside = train.contains(drawn) if isinstance(train, Joint) else train.contains(drawn[names])
            kept.append(select(drawn, np.flatnonzero(~inside)))
            if sum(map(size, kept)) >= n:
                break
        else:
            raise MetarlError(f"{recipe.name}: the ood sampler of {names!r} lies inside its training sampler: widen it")
        params |= {name: np.concatenate([k[name] for k in kept])[:n] for name in kept[0]}
    return params


def _sample(recipe: Recipe, parameters: Samplers, n: int, identity: str, seed: int, attempt: int = 0) -> Params:
    """Return n draws of every sampler.

    Every sampler has its own random stream, so that another parameter changes none of the values. Values that a user's
    code computes are rounded to float32 within their bounds, so that they are the same on every machine.
    """
    params: Params = {}
    for names, sampler in parameters.items():
        rng = _generator(f"{identity}|{names}|{attempt}", seed)
        if isinstance(sampler, Joint):
            for name, values in sampler.sample(rng, n, names).items():
                params[name] = round_to_float32(values, *recipe.bounds[name]) if values.dtype.kind == "f" else values
        else:
            values = sampler.sample(rng, n)
            params[str(names)] = (
                values if sampler.portable or sampler.integer else round_to_float32(values, *sampler.bounds())
            )
    return params


def _generator(identity: str, seed: int) -> np.random.Generator:
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise MetarlError(f"a seed is a whole number of at least 0, got {seed!r}")
    digest = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([int.from_bytes(digest, "big"), int(seed)])))
