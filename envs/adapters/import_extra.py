"""Imports of the optional packages of adapters, with an error that names the extra to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from metarl.errors import MetarlError


def import_extra(module: str, extra: str) -> ModuleType:
    """Import and return a module. Raises MetarlError, which names the extra, if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MetarlError(f"{module} is not installed ({error}): pip install '.[{extra}]' in its folder") from error
