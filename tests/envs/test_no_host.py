"""Steps, resets and observations neither wait for the device nor copy from the host, as CUDA graphs require.

No GPU is needed: every world runs on tensors without values (device "meta"). Reading a value raises, and so does an
operation on tensors of both devices. Robots use a physics engine that has only shapes. MuJoCo Warp runs on the CPU
under the same ban.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import metarl
from metarl import registry
from metarl.agents.action_distributions import ActionNoise
from metarl.agents.maml.policy import MetaActor, MetaPolicy
from metarl.agents.maml.settings import MAMLSettings
from metarl.agents.ppo.policy import Policy, PolicyActor
from metarl.agents.ppo.presets import RL2Settings
from metarl.core.environment import Environment
from metarl.core.rollout import _act_and_move
from metarl.envs.physics import Physics
from metarl.envs.robots import simulation
from metarl.tasks.task_distribution import TaskDistribution

B = 4
META = torch.device("meta")
NAMES = registry.names("distribution")
VARIANTS = {  # one distribution of those that differ only in numbers
    (d.world, d.goal, str(sorted(d.settings)), tuple(d.specs)): d.name for d in map(metarl.get, NAMES)
}
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "is_nonzero"}
TO_HOST = ("numpy", "tolist", "item", "cpu", "__array__", "__bool__", "__int__", "__float__", "__index__")
FROM_HOST = ("tensor", "as_tensor", "from_numpy", "asarray")


class HostAccess(AssertionError):
    """An operation that waits for a value of the device, or copies a value to it."""


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]


class _Ban(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        tensors = _tensors((args, kwargs))
        selects = name.startswith("index") and any(x.dtype == torch.bool for x in _tensors(args[1]))
        if name in WAITING or selects:
            raise HostAccess(str(func))
        out = func(*args, **(kwargs or {}))
        tensors += _tensors(out)
        if any(x.device == META for x in tensors) and any(x.device != META and x.dim() for x in tensors):
            raise HostAccess(f"{func} mixes host and device")
        return out


class _NoLists(TorchFunctionMode):
    """A ban of lists as indices, which are copied from the host.

    It is a mode, because torch treats single numbers as sequences after `Tensor.__getitem__` was set and deleted.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(x, list | np.ndarray) for x in index):
                raise HostAccess("indexed by a list")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_host() -> Iterator[None]:
    """Raise HostAccess for host access within the context; on a GPU, torch itself reports synchronisation."""
    with pytest.MonkeyPatch.context() as patch, _Ban(), _NoLists():
        for method in TO_HOST:
            patch.setattr(Tensor, method, _refused(f"Tensor.{method}"))
        for function in FROM_HOST:
            patch.setattr(torch, function, _refused(f"torch.{function}"))
        yield


def _refused(what: str) -> Callable[..., None]:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise HostAccess(what)

    return refuse


class Shapes(Physics):
    """A physics engine with shapes and without values."""

    engine = "shapes"

    def __init__(self, model: mujoco.MjModel, num_envs: int, frame_skip: int, device: torch.device, *_: Any) -> None:
        self.model, self.num_envs, self.frame_skip, self.device = model, num_envs, frame_skip, device
        self.dtype, self.dt = torch.float32, frame_skip * model.opt.timestep
        self.state = mujoco.MjData(model)
        self.qpos0 = self.default("qpos0")
        self.qpos, self.qvel, self.ctrl = (self.data(name) for name in ("qpos", "qvel", "ctrl"))

    def data(self, name: str) -> Tensor:
        return torch.zeros(self.num_envs, *getattr(self.state, name).shape, device=self.device)

    def field(self, name: str) -> Tensor:
        owner = self.model.opt if name.startswith("opt.") else self.model
        shape = np.shape(getattr(owner, name.removeprefix("opt.")))
        return torch.zeros(self.num_envs, *shape, device=self.device)

    def refresh(self, mask: Tensor) -> None:
        assert mask.shape == (self.num_envs,)

    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        self.qpos.copy_(torch.where(mask[:, None], qpos.float(), self.qpos))
        self.qvel.copy_(torch.where(mask[:, None], qvel.float(), self.qvel))

    def step(self, active: Tensor) -> Tensor:
        return active & (self.qpos.sum(1) > 1e9)

    may_overflow = True

    def overflowed(self) -> Tensor:
        return self.qpos.sum(1) > 1e9

    def single(self, index: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        raise NotImplementedError


def action(env: Environment) -> Tensor:
    if isinstance(env.action_space, gym.spaces.Discrete):
        return torch.zeros(B, dtype=torch.int64, device=env.device)
    return torch.zeros(B, *env.action_space.shape, device=env.device)


def roll_out(env: Environment, steps: int = 2) -> None:
    """Step environments that have been reset, some of them inactive, and reset those with an ended episode."""
    actions = [action(env) for _ in range(steps)]
    with no_host():
        for a in actions:
            step = env.step(a, env.time < 2)
            env.reset(step.terminated | step.truncated)


def make_env(distribution: TaskDistribution, device: str, engine: str | None = None) -> Environment:
    env = Environment(distribution, B, device, engine)
    env.assign(distribution.tasks("train", B))
    env.seed(0)
    env.reset()
    return env


@pytest.mark.parametrize("name", VARIANTS.values())
def test_steps_need_no_host_access(name, monkeypatch):
    distribution = metarl.get(name)
    monkeypatch.setattr(simulation, "make_physics", Shapes)
    distribution.tasks("train", B)
    with FakeTensorMode(allow_non_fake_inputs=True):
        roll_out(make_env(distribution, "meta"))


@pytest.fixture(params=["HalfCheetahDir", "HopperRandParams", "GridNavi", "Catch"])
def on_meta(request, monkeypatch) -> Iterator[Environment]:
    """An environment on the device "meta", after a reset, with the setting of captured steps."""
    distribution = metarl.get(request.param)
    monkeypatch.setattr(simulation, "make_physics", Shapes)
    distribution.tasks("train", B)
    with FakeTensorMode(allow_non_fake_inputs=True):
        env = make_env(distribution, "meta")
        env.simulation.graphed = True
        yield env


@pytest.mark.parametrize("settings", [{}, {"memory": "lstm"}, {"memory": "associative"}, {"wipe_memory": True}])
def test_rl2_training_steps_need_no_host_access(on_meta, settings):
    """Acting and the memory's update are captured with the world's step."""
    with META:
        policy = Policy(on_meta.observation_space, on_meta.action_space, RL2Settings(num_envs=B, **settings))
    actor = PolicyActor(policy, in_graph=True)
    actor.begin(B, ActionNoise())
    rest, noise = torch.zeros(B, dtype=torch.bool, device=META), [actor.draw() for _ in range(3)]
    obs = torch.zeros(B, *on_meta.observation_space.shape, device=META)
    with no_host(), torch.no_grad():
        for numbers in noise:
            obs = _act_and_move(on_meta, actor, obs, ~rest, rest, numbers)[1].obs


@pytest.mark.parametrize("sets", [1, 2])  # sets of weights
def test_maml_training_steps_need_no_host_access(on_meta, sets):
    with META:
        policy = MetaPolicy(on_meta.observation_space, on_meta.action_space, MAMLSettings())
    actor = MetaActor(policy, B)
    actor.begin(policy.initial_params(sets), ActionNoise())
    rest, noise = torch.zeros(B, dtype=torch.bool, device=META), torch.zeros(B, policy.actions.outputs, device=META)
    obs = torch.zeros(B, *on_meta.observation_space.shape, device=META)
    with no_host(), torch.no_grad():
        for _ in range(3):
            obs = _act_and_move(on_meta, actor, obs, on_meta.all_envs, rest, noise)[1].obs


@pytest.mark.xdist_group("warp")
@pytest.mark.parametrize("name", ["HalfCheetahBody", pytest.param("AntGoal", marks=pytest.mark.slow)])
def test_warp_physics_needs_no_host_access(name):
    pytest.importorskip("mujoco_warp")
    env = make_env(metarl.get(name), "cpu", "warp")
    env.step(action(env))  # compiles
    roll_out(env)
    with no_host():
        env.simulation.physics.refresh(env.all_envs)  # type: ignore[attr-defined]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_torch_reports_no_synchronisation_on_a_gpu():
    for name in NAMES:
        env = make_env(metarl.get(name), "cuda")
        zeros = action(env)
        for _ in range(4):  # the third step is captured
            step = env.step(zeros)
            env.reset(step.terminated | step.truncated)
        torch.cuda.set_sync_debug_mode("error")
        try:
            step = env.step(zeros)
            env.reset(step.terminated | step.truncated)
        finally:
            torch.cuda.set_sync_debug_mode("default")


HOST_ACCESSES: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x.sum().item(),
    "branch": lambda x: 1 if x.any() else 0,
    "float": lambda x: float(x[0]),
    "numpy": lambda x: x.numpy(),
    "list": lambda x: x.tolist(),
    "copy": lambda x: x.cpu(),
    "nonzero": lambda x: torch.nonzero(x),
    "chosen by a mask": lambda x: x[x > 0],
    "written by a mask": lambda x: x.__setitem__(x > 0, 1.0),
    "chosen by a list": lambda x: x[[0, 1]],
    "made of a list": lambda x: x + torch.tensor([1.0, 2.0, 3.0], device=x.device),
    "made of an array": lambda x: x + torch.as_tensor(np.ones(3), device=x.device),
    "equal": lambda x: torch.equal(x, x),
}


@pytest.mark.parametrize("access", HOST_ACCESSES.values(), ids=HOST_ACCESSES)
def test_host_access_is_detected(access):
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.zeros(3, device="meta")
        with pytest.raises(BaseException) as error, no_host():  # noqa: PT011
            access(x)
    assert not isinstance(error.value, KeyboardInterrupt)


def test_torch_is_restored_after_the_ban():
    with no_host():
        torch.zeros(2)[:, None]
    assert torch.tensor([torch.tensor(1.0)]).tolist() == [1.0]
