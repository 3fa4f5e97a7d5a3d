"""Errors of adapters whose package is not installed."""

import sys

import pytest

import metarl
from metarl import registry
from metarl.envs.adapters.import_extra import import_extra


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [("minigrid:DOOR_KEY", "minigrid", "minigrid"), ("atari:BREAKOUT", "ale_py", "atari")],
)
def test_missing_package_raises_with_the_extra(monkeypatch, address, module, extra):
    monkeypatch.setitem(sys.modules, module, None)  # makes the import fail
    distribution = registry.find("distribution", f"metarl.envs.adapters.{address}")
    with pytest.raises(metarl.MetarlError, match=rf"pip install '.\[{extra}\]'"):
        distribution.make()


def test_import_extra_returns_the_module():
    assert import_extra("json", "nothing").loads("1") == 1
