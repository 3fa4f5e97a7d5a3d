# mujoco fills its module from compiled code, which pyright cannot see into.
from typing import Any

def __getattr__(name: str) -> Any: ...
