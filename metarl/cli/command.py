"""What a subcommand of `metarl` is; rooms and installed packages add theirs by the entry points `metarl.commands`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """`metarl NAME`: options are a dataclass, from which tyro makes the command line."""

    name: str
    options: type
    run: Callable[[Any], None]
    about: str
