"""What an adapter says where its package is not installed."""

import sys

import pytest

import metarl
from metarl import registry
from metarl.envs.adapters.extra import need


@pytest.mark.parametrize(
    ("address", "module", "extra"),
    [("minigrid:DOOR_KEY", "minigrid", "minigrid"), ("atari:BREAKOUT", "ale_py", "atari")],
)
def test_the_error_names_the_extra(monkeypatch, address, module, extra):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not there
    family = registry.find("distribution", f"metarl.envs.adapters.{address}")
    with pytest.raises(metarl.MetarlError, match=rf"pip install 'metarl\[{extra}\]'"):
        family.make()


def test_what_is_there_is_imported():
    assert need("json", "nothing").loads("1") == 1
