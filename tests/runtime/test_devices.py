"""The device `auto` is a usable GPU or the CPU; an unavailable device raises with the package to install."""

import pytest
import torch

import metarl
from metarl.errors import MetarlError
from metarl.runtime.devices import explain, pick_device

ROBOT, GAME = metarl.get("HalfCheetahVel"), metarl.get("GridNavi")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H200")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def no_extra(monkeypatch):
    from metarl.envs.robots import robot

    monkeypatch.setattr(robot, "find_spec", lambda name: None)


@pytest.fixture
def extra(monkeypatch):
    from metarl.envs.robots import robot

    monkeypatch.setattr(robot, "find_spec", lambda name: name)


def test_auto_selects_an_available_gpu(gpu, extra):
    assert pick_device("auto", ROBOT, GAME) == "cuda"
    assert explain("auto", ROBOT) == "device: cuda (H200)"


def test_auto_without_a_gpu_selects_the_cpu(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert pick_device("auto", ROBOT) == "cpu"
    assert explain("auto", ROBOT) == "device: cpu (no CUDA device is available)"
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "was built without CUDA" in (explain("auto") or "")


def test_auto_without_the_extra_selects_the_cpu_for_robots(gpu, no_extra):
    assert pick_device("auto", GAME) == "cuda"
    assert pick_device("auto", GAME, ROBOT) == "cpu"
    assert "pip install '.[gpu]'" in (explain("auto", GAME, ROBOT) or "")


def test_explicit_device_is_used_without_an_explanation(gpu, extra):
    assert pick_device("cpu", ROBOT) == "cpu"
    assert pick_device("cuda", ROBOT) == "cuda"
    assert explain("cpu") is explain("cuda") is None


def test_unavailable_cuda_raises(gpu, no_extra, monkeypatch):
    with pytest.raises(MetarlError, match=r"robots on cuda need MuJoCo Warp: pip install '.\[gpu\]' in .*; or .* cpu"):
        pick_device("cuda", ROBOT)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MetarlError, match="or use --device cpu"):
        pick_device("cuda", GAME)


def test_action_on_another_device_raises():
    env = GAME.make(2)
    env.begin(GAME.tasks("train", 2))
    with pytest.raises(MetarlError, match="actions are on meta, the environment is on cpu: move them there"):
        env.step(torch.zeros(2, dtype=torch.int64, device="meta"))
