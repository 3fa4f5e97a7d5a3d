"""The type of a subcommand that a package adds to `metarl` through the entry-point group `metarl.commands`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """The command `metarl NAME`."""

    name: str
    options: type
    """a dataclass, from which tyro makes the options of the command line"""
    run: Callable[[Any], None]
    """called with an instance of `options`"""
    about: str
    """one line for `metarl --help`"""
