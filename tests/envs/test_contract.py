"""Properties of all registered distributions, including those of installed third-party packages."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.tasks.task_distribution import TaskDistribution

B = 4
every = pytest.mark.parametrize("name", registry.names("distribution"))
ONE_OF_EACH_WORLD = {
    registry.find("distribution", name).world: name for name in registry.names("distribution")
}.values()
one_of_each_world = pytest.mark.parametrize(
    "name",
    [pytest.param(d, marks=() if d in ONE_OF_EACH_WORLD else pytest.mark.slow) for d in registry.names("distribution")],
)


def actions(distribution: TaskDistribution, steps: int, num_envs: int = B, seed: int = 0) -> torch.Tensor:
    """Draw actions [T, B, *action].

    Discrete actions are uniform, and repeated for ten steps in every other environment. Continuous actions are uniform,
    at the bounds, or far outside of them.
    """
    space, g = distribution.make().action_space, torch.Generator().manual_seed(seed)
    if isinstance(space, gym.spaces.Discrete):
        drawn = torch.randint(int(space.n), (steps, num_envs), generator=g)
        repeated = torch.arange(steps)[:, None] // 10 * 10 + torch.zeros(num_envs, dtype=torch.int64)
        return torch.where(torch.arange(num_envs) % 2 == 0, drawn, drawn.gather(0, repeated))
    shape = (steps, num_envs, *space.shape)
    random = torch.rand(shape, generator=g) * 2 - 1
    variant = torch.randint(4, (steps, num_envs, *[1] * len(space.shape)), generator=g)
    return torch.where(variant == 1, random.sign(), torch.where(variant == 2, 100 * random, random))


def make_env(distribution: TaskDistribution, tasks=None, seed: int = 0, keys=None) -> Environment:
    """Return an environment after a reset; without trials, so that episodes continue after a termination."""
    tasks = distribution.tasks("train", B) if tasks is None else tasks
    env = Environment(distribution, len(tasks))
    env.assign(tasks)
    env.seed(seed, keys)
    env.reset()
    return env


def in_pixels(space: gym.spaces.Box) -> bool:
    return space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[-1] == 3


@every
def test_shapes_and_dtypes_match_the_spaces(name):
    distribution = metarl.get(name)
    trials = distribution.make(B)
    obs = trials.begin(distribution.tasks("train", B))
    space = trials.observation_space
    assert obs.shape == (B, *space.shape)
    assert obs.numpy().dtype == space.dtype
    assert space.dtype == (np.uint8 if in_pixels(space) else np.float32)
    assert all(space.contains(row) for row in obs.numpy())
    if isinstance(trials.action_space, gym.spaces.Box):
        assert trials.action_space.dtype == np.float32
        assert (trials.action_space.low == -1).all()
        assert (trials.action_space.high == 1).all()
    step = trials.step(actions(distribution, 1)[0])
    assert step.reward.dtype == torch.float32
    assert step.terminated.dtype == step.truncated.dtype == step.resting.dtype == torch.bool
    assert step.flags.dtype == torch.int64
    assert step.final_obs.shape == obs.shape
    assert all(x.shape == (B,) for x in (step.reward, step.terminated, step.truncated, step.resting, step.flags))


@every
def test_steps_are_finite_and_rewards_equal_the_sum_of_their_terms(name):
    """One distribution of each world takes 300 steps, in which each element of its observation changes."""
    distribution = metarl.get(name)
    steps = 300 if name in ONE_OF_EACH_WORLD else 100
    env = make_env(distribution)
    observations = []
    for t, action in enumerate(actions(distribution, steps)):
        step = env.step(action)
        observations.append(step.obs)
        assert env.observation_space.contains(step.obs[0].numpy()), t
        assert torch.isfinite(step.obs).all()
        assert torch.isfinite(step.reward).all()
        assert not step.flags.any()
        total = torch.zeros(B)
        for term in env.reward_terms.values():
            assert term.dtype == torch.float32
            total += term
        assert torch.equal(step.reward, total)
        env.reset(step.terminated | step.truncated)
    obs = torch.stack(observations)
    axes = tuple(range(obs.dim() - 1)) if obs.dim() > 3 else (0, 1)  # each plane must change, but not each cell
    if steps == 300 and not env.simulation.appearance.seldom_changes:
        assert (obs.amax(axes) > obs.amin(axes)).all()  # no element is constant
    env.close()


@one_of_each_world
def test_equal_seeds_give_identical_steps(name):
    distribution = metarl.get(name)
    a, b = make_env(distribution, seed=3), make_env(distribution, seed=3)
    for action in actions(distribution, 40):
        assert all(torch.equal(x, y) for x, y in zip(a.step(action), b.step(action), strict=True))


@every
def test_start_states_differ_between_environments_seeds_and_episodes(name):
    """A world with `starts_alike` has a single start state."""
    distribution = metarl.get(name)
    env, other = make_env(distribution), make_env(distribution, seed=1)
    first, second = env._observe(), env.reset()
    rows = torch.cat([first, second, other._observe()]).flatten(1)
    different = len({tuple(row.tolist()) for row in rows})
    if env.simulation.appearance.starts_alike:
        assert different == 1
    elif isinstance(env.action_space, gym.spaces.Discrete):
        assert different > 1  # start states may be few
    else:
        assert different == 3 * B


@one_of_each_world
def test_returned_tensors_are_not_overwritten(name):
    distribution = metarl.get(name)
    trials = distribution.make(B)
    returned = [trials.begin(distribution.tasks("train", B))]
    copies = [returned[0].clone()]
    action = actions(distribution, distribution.horizon + 2)
    for a in action:
        before = a.clone()
        step = trials.step(a)
        assert torch.equal(a, before)  # actions are not overwritten either
        returned += [step.obs, step.reward, step.terminated, step.truncated, step.final_obs, step.resting, step.flags]
        copies += [x.clone() for x in returned[-7:]]
        if trials.done:
            break
    assert all(torch.equal(x, y) for x, y in zip(returned, copies, strict=True))
    returned[0].add_(1)  # observations share no memory
    assert torch.equal(returned[1], copies[1])
    if len(returned) > 8:
        returned[1].add_(1)
        assert torch.equal(returned[8], copies[8])
        assert torch.equal(returned[0], copies[0] + 1)


@one_of_each_world
def test_tasks_change_rewards_or_dynamics(name):
    """Environments with equal random streams and actions differ only by their tasks."""
    distribution, n = metarl.get(name), 16
    tasks = distribution.tasks("train", n)
    env = make_env(distribution, tasks, keys=torch.zeros(n, dtype=torch.int64))
    if not (noisy(distribution) or env.simulation.appearance.shows_task):
        assert torch.equal(env._observe(), env._observe()[:1].expand_as(env._observe()))
    others = [i for i in range(n) if tasks[i] != tasks[0]]
    assert others
    different = torch.zeros(n, dtype=torch.bool)
    for action in exploratory_actions(distribution, 400):
        step = env.step(action.expand(n, *action.shape[1:]))
        different |= (step.reward != step.reward[0]) | (step.terminated != step.terminated[0])
        different |= (step.obs != step.obs[0]).flatten(1).any(1)
        if different[others].all():
            break
        if (step.terminated | step.truncated).any():
            env.reset()
    if isinstance(env.action_space, gym.spaces.Discrete) or sparse(distribution):
        assert different.any()  # random actions may reveal few differences
    else:
        # Some tasks are equivalent, such as a switch between equal values.
        assert different[others].float().mean() > 0.5


def exploratory_actions(distribution: TaskDistribution, steps: int) -> torch.Tensor:
    """Return actions [T, 1, *action]: random in even episodes, and repeated in odd ones, which leads farther away."""
    drawn, t = actions(distribution, steps, 1), torch.arange(steps)
    start = t // distribution.horizon * distribution.horizon
    repeated = drawn[t // 10 * 10] if drawn.dim() == 2 else drawn[start].sign()
    return torch.where((t // distribution.horizon % 2 == 0).reshape(-1, *[1] * (drawn.dim() - 1)), drawn, repeated)


def sparse(distribution: TaskDistribution) -> bool:
    """Return whether random actions may never reach a reward."""
    return distribution.goal == "sparse_place" or (
        "radius" in distribution.settings and "wind" not in distribution.specs
    )


def noisy(distribution: TaskDistribution) -> bool:
    """Return whether observations are noisy; their noise depends on the task."""
    return "observation_noise" in distribution.specs


@every
def test_observation_contains_the_task_only_if_task_visible(name):
    distribution = metarl.get(name)
    tasks = distribution.tasks("train", 2 * B)
    keys = torch.arange(B)
    halves = (tasks[:B], tasks[B:])
    hidden, other = (make_env(distribution, half, keys=keys)._observe() for half in halves)
    if not (noisy(distribution) or Environment(distribution, 1).simulation.appearance.shows_task):
        assert torch.equal(hidden, other)

    if in_pixels(distribution.make().observation_space):
        with pytest.raises(metarl.MetarlError, match="pixels"):
            distribution.make(B, task_visible=True)
        return
    trials = distribution.make(B, task_visible=True)
    obs = trials.begin(tasks[:B], keys=keys)
    size = hidden.shape[-1]
    assert noisy(distribution) or torch.equal(obs[..., :size], hidden)
    rows = torch.cat([torch.from_numpy(v[:B].copy()).reshape(B, -1).float() for v in tasks.params.values()], 1)
    # The task is the same in every cell of a board.
    expected = rows.reshape(B, *[1] * (hidden.dim() - 2), -1).expand(*hidden.shape[:-1], -1)
    assert torch.equal(obs[..., size:], expected)
    assert trials.observation_space.shape == tuple(obs.shape[1:])
    step = trials.step(actions(distribution, 1)[0])
    assert torch.equal(step.obs[..., size:], expected)
    assert all(trials.observation_space.contains(row) for row in step.obs.numpy())


@every
def test_distributions_and_tasks_round_trip_through_json(name, tmp_path):
    distribution = metarl.get(name)
    assert TaskDistribution.from_json(distribution.to_json()).to_json() == distribution.to_json()
    for split in distribution.splits:
        tasks = distribution.tasks(split, 6)
        tasks.save(tmp_path / "tasks.json")
        loaded = metarl.TaskSet.load(tmp_path / "tasks.json")
        assert loaded == tasks
        assert loaded.split == split
        env = distribution.make(6)
        assert torch.equal(env.begin(loaded), env.begin(tasks))


@every
def test_distribution_and_parameters_have_descriptions(name):
    distribution = metarl.get(name)
    assert distribution.tests
    assert distribution.simulated_world.fingerprint()
    for parameter in distribution.simulated_world.parameters(distribution.world_config):
        assert parameter.doc


@one_of_each_world
def test_batch_equals_single_environments(name):
    """Compare the last environment of a batch with a single one, including resets."""
    distribution = metarl.get(name)
    tasks, keys, i = distribution.tasks("train", B), torch.arange(B), B - 1
    batched, single = make_env(distribution, tasks, seed=2, keys=keys), Environment(distribution, 1)
    single.assign(tasks[i])
    single.seed(2, keys[i:])
    assert torch.equal(batched._observe()[i], single.reset()[0])
    for action in actions(distribution, 12):
        many, one = batched.step(action), single.step(action[i:])
        assert all(torch.equal(x[i], y[0]) for x, y in zip(many, one, strict=True))
        ended = many.terminated | many.truncated
        assert torch.equal(batched.reset(ended)[i], single.reset(ended[i:])[0])


@every
def test_splits_are_disjoint_and_ood_is_outside_of_the_training_support(name):
    distribution = metarl.get(name)
    drawn = {split: distribution.tasks(split, 40) for split in distribution.splits}
    rows = {split: {row.hash for row in tasks} for split, tasks in drawn.items()}
    if distribution.split == "disjoint" and "test" in drawn:
        assert not rows["train"] & rows["test"]
        assert not rows["train"] & rows["valid"]
        assert not rows["valid"] & rows["test"]
    for names in distribution.ood:
        sampler, params = distribution.parameters[names], drawn["ood"].params
        values: Any = params[names] if isinstance(names, str) else {n: params[n] for n in names}
        assert not sampler.contains(values).any(), names
    for names, sampler in distribution.parameters.items():
        if isinstance(names, str):
            assert sampler.contains(drawn["train"].params[names]).all(), names


@every
def test_tasks_are_a_function_of_split_number_and_seed(name):
    distribution = metarl.get(name)
    for split in distribution.splits:
        first, second = distribution.tasks(split, 5, seed=3), distribution.tasks(split, 5, seed=3)
        assert first.hash == second.hash
        assert first == second
    assert TaskDistribution.from_json(distribution.to_json()).tasks("train", 5, seed=3) == distribution.tasks(
        "train", 5, seed=3
    )


@every
def test_gymnasium_spec_round_trips_through_json(name):
    """Vector environments, wrappers and loggers use `spec.to_json()`."""
    spec = gym.spec(f"metarl/{name}-v{metarl.get(name).version}")
    assert EnvSpec.from_json(spec.to_json()).kwargs == {"distribution": name}


@every
def test_samplers_respect_the_bounds_and_bounds_are_enforced(name):
    distribution = metarl.get(name)
    for split in distribution.splits:
        for parameter, values in distribution.tasks(split, 40).params.items():
            np.testing.assert_array_equal(distribution.specs[parameter].check(values), values)
    task = {n: v[0] for n, v in distribution.tasks().params.items()}
    for parameter, spec in distribution.specs.items():
        for bound, beyond in ((spec.low, -1.0), (spec.high, 1.0)):
            if np.isfinite(bound):
                with pytest.raises(metarl.MetarlError, match=parameter):
                    distribution.task_set(
                        {**task, parameter: np.full(spec.shape, bound + beyond * max(1.0, abs(bound)))}
                    )
