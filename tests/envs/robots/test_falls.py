"""Falls of robots: the documented thresholds, and termination."""

import numpy as np
import pytest
import torch

# robot -> (element of qpos, values, whether each is a fall)
CASES = {
    "Ant": [(2, [0.19, 0.21, 0.99, 1.01], [1, 0, 0, 1])],
    "Hopper": [
        (1, [0.69, 0.7, 0.71, 5.0], [1, 1, 0, 0]),
        (2, [-0.21, -0.19, 0.19, 0.2], [1, 0, 0, 1]),
        (3, [-101.0, 99.0, -99.0, 0.0], [1, 0, 0, 0]),
    ],
    "Walker2d": [(1, [0.79, 0.81, 1.99, 2.01], [1, 0, 0, 1]), (2, [-1.01, -0.99, 0.99, 1.0], [1, 0, 0, 1])],
    "Humanoid": [(2, [0.99, 1.01, 1.99, 2.01], [1, 0, 0, 1])],
    "CartPole": [(1, [-0.21, -0.2, 0.2, 0.21], [1, 0, 0, 1])],
}


@pytest.mark.parametrize(("robot", "case"), [(robot, case) for robot, cases in CASES.items() for case in cases])
def test_fall_thresholds(robot, case, make):
    element, values, falls = case
    env = make(robot, "velocity", {"velocity": 1.0}, num_envs=4)
    physics, world = env.simulation.physics, env.distribution.simulated_world
    physics.qpos[:] = physics.default("qpos0")
    if robot == "Ant":
        physics.qpos[:, 2] = 0.5
    assert not world.fallen(physics).any()
    physics.qpos[:, element] = torch.tensor(values, dtype=torch.float64)
    np.testing.assert_array_equal(world.fallen(physics), np.array(falls, dtype=bool))


def test_hopper_with_a_velocity_beyond_100_has_fallen(make):
    env = make("Hopper", "advance", {}, num_envs=2)
    physics = env.simulation.physics
    physics.qvel[1, 4] = 101.0
    np.testing.assert_array_equal(env.distribution.simulated_world.fallen(physics), [False, True])


@pytest.mark.parametrize("robot", list(CASES))
def test_fall_terminates_only_with_fall_ends(robot, make):
    for fall_ends in (True, False):
        env = make(robot, "velocity", {"velocity": 1.0}, num_envs=8, fall_ends=fall_ends)
        assert env.simulation.may_terminate == fall_ends
        ended = torch.zeros(8, dtype=torch.bool)
        for action in torch.rand(150, 8, *env.action_space.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1:
            ended |= env.step(action.sign()).terminated
        assert ended.any() == fall_ends


@pytest.mark.parametrize("robot", ["HalfCheetah", "Swimmer", "Reacher", "Pendulum", "PointMass"])
def test_other_robots_never_fall(robot, make):
    goal = ("swing_up", {}) if robot == "Pendulum" else ("velocity", {"velocity": 1.0})
    env = make(robot, *goal)
    assert not env.simulation.may_terminate
    assert env.distribution.simulated_world.fallen(env.simulation.physics) is None


@pytest.mark.parametrize(("robot", "bonus"), [("Ant", 1.0), ("Hopper", 1.0), ("Walker2d", 1.0), ("Humanoid", 5.0)])
def test_alive_bonus_is_paid_on_every_active_step(robot, bonus, make):
    env = make(robot, "velocity", {"velocity": 1.0}, num_envs=4)
    actions = torch.rand(100, 4, *env.action_space.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    fallen = False
    for action in actions:
        fallen = bool(env.step(action).terminated.any())
        assert (env.reward_terms["alive"] == bonus).all()
        if fallen:
            break
    assert fallen or robot == "Ant"
    env.step(actions[0], torch.tensor([True, False, True, False]))  # inactive environments have reward 0
    assert env.reward_terms["alive"].tolist() == [bonus, 0, bonus, 0]
