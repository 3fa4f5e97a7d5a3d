"""Packages that an adapter needs and metarl does not bring: imported where used, with an error that names the extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from metarl.errors import MetarlError


def need(module: str, extra: str) -> ModuleType:
    """The module; MetarlError that names the extra which brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MetarlError(f"{module} is not installed ({error}): pip install 'metarl[{extra}]'") from error
