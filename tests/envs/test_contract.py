"""What every registered distribution keeps: one sweep over all of them, games and strangers' included."""

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


def actions(family: TaskDistribution, steps: int, num_envs: int = B, seed: int = 0) -> torch.Tensor:
    """Random ones, half of them held for ten steps; where they are numbers, extreme ones too: +-1 and far outside."""
    space, g = family.make().action_space, torch.Generator().manual_seed(seed)
    if isinstance(space, gym.spaces.Discrete):
        drawn = torch.randint(int(space.n), (steps, num_envs), generator=g)
        held = torch.arange(steps)[:, None] // 10 * 10 + torch.zeros(num_envs, dtype=torch.int64)
        return torch.where(torch.arange(num_envs) % 2 == 0, drawn, drawn.gather(0, held))
    shape = (steps, num_envs, *space.shape)
    random = torch.rand(shape, generator=g) * 2 - 1
    sort = torch.randint(4, (steps, num_envs, *[1] * len(space.shape)), generator=g)
    return torch.where(sort == 1, random.sign(), torch.where(sort == 2, 100 * random, random))


def begun(family: TaskDistribution, tasks=None, seed: int = 0, keys=None) -> Environment:
    """Environments side by side, without trials: they are stepped past ends, which the physics must survive too."""
    tasks = family.tasks("train", B) if tasks is None else tasks
    env = Environment(family, len(tasks))
    env.assign(tasks)
    env.seed(seed, keys)
    env.reset()
    return env


def in_pixels(space: gym.spaces.Box) -> bool:
    return space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[-1] == 3


@every
def test_spaces(name):
    family = metarl.get(name)
    trials = family.make(B)
    obs = trials.begin(family.tasks("train", B))
    space = trials.observation_space
    assert obs.shape == (B, *space.shape)
    assert obs.numpy().dtype == space.dtype
    assert space.dtype == (np.uint8 if in_pixels(space) else np.float32)
    assert all(space.contains(row) for row in obs.numpy())
    if isinstance(trials.action_space, gym.spaces.Box):
        assert trials.action_space.dtype == np.float32
        assert (trials.action_space.low == -1).all()
        assert (trials.action_space.high == 1).all()
    step = trials.step(actions(family, 1)[0])
    assert step.reward.dtype == torch.float32
    assert step.terminated.dtype == step.truncated.dtype == step.resting.dtype == torch.bool
    assert step.flags.dtype == torch.int64
    assert step.final_obs.shape == obs.shape
    assert all(x.shape == (B,) for x in (step.reward, step.terminated, step.truncated, step.resting, step.flags))


@every
def test_300_wild_steps_are_finite_and_the_reward_is_the_sum_of_its_terms(name):
    family = metarl.get(name)
    env = begun(family)
    seen = []
    for t, action in enumerate(actions(family, 300)):
        moved = env.step(action)
        seen.append(moved.obs)
        assert env.observation_space.contains(moved.obs[0].numpy()), t
        assert torch.isfinite(moved.obs).all()
        assert torch.isfinite(moved.reward).all()
        assert not moved.flags.any()
        total = torch.zeros(B)
        for term in env.reward_terms.values():
            assert term.dtype == torch.float32
            total += term
        assert torch.equal(moved.reward, total)
        env.reset(moved.terminated | moved.truncated)
    states = torch.stack(seen)
    over = tuple(range(states.dim() - 1)) if states.dim() > 3 else (0, 1)  # of planes, not every cell need change
    if not env.simulation.appearance.seldom_changes:
        assert (states.amax(over) > states.amin(over)).all()  # no element is constant
    env.close()


@every
def test_the_same_seed_gives_the_same_bits(name):
    family = metarl.get(name)
    a, b = begun(family, seed=3), begun(family, seed=3)
    for action in actions(family, 40):
        assert all(torch.equal(x, y) for x, y in zip(a.step(action), b.step(action), strict=True))


@every
def test_initial_states_differ(name):
    """Between environments, seeds and episodes; a world that starts always alike says so, and does."""
    family = metarl.get(name)
    env, other = begun(family), begun(family, seed=1)
    first, second = env._observe(), env.reset()
    rows = torch.cat([first, second, other._observe()]).flatten(1)
    different = len({tuple(row.tolist()) for row in rows})
    if env.simulation.appearance.starts_alike:
        assert different == 1
    elif isinstance(env.action_space, gym.spaces.Discrete):
        assert different > 1  # start states may be few
    else:
        assert different == 3 * B


@every
def test_what_is_returned_is_never_written_again(name):
    family = metarl.get(name)
    trials = family.make(B)
    kept = [trials.begin(family.tasks("train", B))]
    copies = [kept[0].clone()]
    action = actions(family, family.horizon + 2)
    for a in action:
        before = a.clone()
        step = trials.step(a)
        assert torch.equal(a, before)  # nor is what is given
        kept += [step.obs, step.reward, step.terminated, step.truncated, step.final_obs, step.resting, step.flags]
        copies += [x.clone() for x in kept[-7:]]
        if trials.done:
            break
    assert all(torch.equal(x, y) for x, y in zip(kept, copies, strict=True))
    kept[0].add_(1)  # the first observations: none shares memory with another
    assert torch.equal(kept[1], copies[1])
    if len(kept) > 8:
        kept[1].add_(1)
        assert torch.equal(kept[8], copies[8])
        assert torch.equal(kept[0], copies[0] + 1)


@every
def test_tasks_change_rewards_or_dynamics(name):
    """Nothing differs but the task: one stream and the same actions for all, who begin anew together."""
    family, n = metarl.get(name), 16
    tasks = family.tasks("train", n)
    env = begun(family, tasks, keys=torch.zeros(n, dtype=torch.int64))
    if not (noisy(family) or env.simulation.appearance.shows_task):
        assert torch.equal(env._observe(), env._observe()[:1].expand_as(env._observe()))
    new = [i for i in range(n) if tasks[i] != tasks[0]]
    assert new
    different = torch.zeros(n, dtype=torch.bool)
    for action in wandering(family, 400):
        moved = env.step(action.expand(n, *action.shape[1:]))
        different |= (moved.reward != moved.reward[0]) | (moved.terminated != moved.terminated[0])
        different |= (moved.obs != moved.obs[0]).flatten(1).any(1)
        if different[new].all():
            break
        if (moved.terminated | moved.truncated).any():
            env.reset()
    if isinstance(env.action_space, gym.spaces.Discrete) or sparse(family):
        assert different.any()  # chance may find little
    else:
        assert different[new].float().mean() > 0.5  # all but tasks that differ in name only: a switch between equals


def wandering(family: TaskDistribution, steps: int) -> torch.Tensor:
    """[T, 1, *action]: in turn, episodes of random actions, and of few that are held, which lead far away."""
    drawn, t = actions(family, steps, 1), torch.arange(steps)
    held = drawn[t // 10 * 10] if drawn.dim() == 2 else drawn[t // family.horizon * family.horizon].sign()
    return torch.where((t // family.horizon % 2 == 0).reshape(-1, *[1] * (drawn.dim() - 1)), drawn, held)


def sparse(family: TaskDistribution) -> bool:
    """Random walks need not come near a hidden place."""
    return family.goal == "sparse_place" or ("radius" in family.settings and "wind" not in family.specs)


def noisy(family: TaskDistribution) -> bool:
    """How strong the noise is shows in the noise: that is all there is to see."""
    return "observation_noise" in family.specs


@every
def test_the_task_is_not_in_the_observation_unless_asked_for(name):
    family = metarl.get(name)
    tasks = family.tasks("train", 2 * B)
    keys = torch.arange(B)
    one, other = (begun(family, tasks[half], keys=keys)._observe() for half in (slice(0, B), slice(B, 2 * B)))
    if not (noisy(family) or Environment(family, 1).simulation.appearance.shows_task):
        assert torch.equal(one, other)

    if in_pixels(family.make().observation_space):
        with pytest.raises(metarl.MetarlError, match="pixels"):
            family.make(B, task_visible=True)
        return
    trials = family.make(B, task_visible=True)
    seen = trials.begin(tasks[:B], keys=keys)
    size = one.shape[-1]
    assert noisy(family) or torch.equal(seen[..., :size], one)
    rows = torch.cat([torch.from_numpy(v[:B].copy()).reshape(B, -1).float() for v in tasks.params.values()], 1)
    told = rows.reshape(B, *[1] * (one.dim() - 2), -1).expand(*one.shape[:-1], -1)  # the same in every cell of a board
    assert torch.equal(seen[..., size:], told)
    assert trials.observation_space.shape == tuple(seen.shape[1:])
    step = trials.step(actions(family, 1)[0])
    assert torch.equal(step.obs[..., size:], told)
    assert all(trials.observation_space.contains(row) for row in step.obs.numpy())


@every
def test_data_survives_json_and_files(name, tmp_path):
    family = metarl.get(name)
    assert TaskDistribution.from_json(family.to_json()).to_json() == family.to_json()
    for split in family.splits:
        tasks = family.tasks(split, 6)
        tasks.save(tmp_path / "tasks.json")
        loaded = metarl.TaskSet.load(tmp_path / "tasks.json")
        assert loaded == tasks
        assert loaded.split == split
        env = family.make(6)
        assert torch.equal(env.begin(loaded), env.begin(tasks))


@every
def test_a_family_describes_itself(name):
    family = metarl.get(name)
    assert family.tests
    assert family.simulated_world.fingerprint()
    for parameter in family.simulated_world.parameters(family):
        assert parameter.doc


@every
def test_a_batch_is_its_singles(name):
    """Restarts included: each lane has its own end."""
    family = metarl.get(name)
    tasks, keys, lane = family.tasks("train", B), torch.arange(B), B - 1
    batched, alone = begun(family, tasks, seed=2, keys=keys), Environment(family, 1)
    alone.assign(tasks[lane])
    alone.seed(2, keys[lane:])
    assert torch.equal(batched._observe()[lane], alone.reset()[0])
    for action in actions(family, 12):
        many, one = batched.step(action), alone.step(action[lane:])
        assert all(torch.equal(x[lane], y[0]) for x, y in zip(many, one, strict=True))
        begin = many.terminated | many.truncated
        assert torch.equal(batched.reset(begin)[lane], alone.reset(begin[lane:])[0])


@every
def test_splits_hold_other_tasks(name):
    """Disjoint ones share none; what ood names lies outside of what training draws."""
    family = metarl.get(name)
    drawn = {split: family.tasks(split, 40) for split in family.splits}
    rows = {split: {row.hash for row in tasks} for split, tasks in drawn.items()}
    if family.split == "disjoint" and "test" in drawn:
        assert not rows["train"] & rows["test"]
        assert not rows["train"] & rows["valid"]
        assert not rows["valid"] & rows["test"]
    for names in family.ood:
        sampler, params = family.parameters[names], drawn["ood"].params
        values: Any = params[names] if isinstance(names, str) else {n: params[n] for n in names}
        assert not sampler.contains(values).any(), names
    for names, sampler in family.parameters.items():
        if isinstance(names, str):
            assert sampler.contains(drawn["train"].params[names]).all(), names


@every
def test_tasks_are_a_pure_function_of_split_number_and_seed(name):
    family = metarl.get(name)
    for split in family.splits:
        once, again = family.tasks(split, 5, seed=3), family.tasks(split, 5, seed=3)
        assert once.hash == again.hash
        assert once == again
    assert TaskDistribution.from_json(family.to_json()).tasks("train", 5, seed=3) == family.tasks("train", 5, seed=3)


@every
def test_gymnasiums_spec_is_data(name):
    """`spec.to_json()`, which vector environments, wrappers and logs write, and an environment back from it."""
    spec = gym.spec(f"metarl/{name}-v{metarl.get(name).version}")
    assert EnvSpec.from_json(spec.to_json()).kwargs == {"distribution": name}


@every
def test_the_laws_keep_to_the_worlds_bounds_and_the_bounds_are_enforced(name):
    family = metarl.get(name)
    for split in family.splits:
        for parameter, values in family.tasks(split, 40).params.items():
            np.testing.assert_array_equal(family.specs[parameter].check(values), values)
    task = {n: v[0] for n, v in family.tasks().params.items()}
    for parameter, spec in family.specs.items():
        for bound, beyond in ((spec.low, -1.0), (spec.high, 1.0)):
            if np.isfinite(bound):
                with pytest.raises(metarl.MetarlError, match=parameter):
                    family.task_set({**task, parameter: np.full(spec.shape, bound + beyond * max(1.0, abs(bound)))})
