"""The choice of a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from metarl.errors import MetarlError


def pick_device(device: str, *distributions: Any) -> str:
    """Return "cpu" or "cuda"; "auto" becomes a GPU where there is one that can simulate these TaskDistributions.

    Raises MetarlError where cuda is requested and cannot be used.
    """
    reason = None if device == "cpu" else _against_cuda(distributions)
    if device == "cuda" and reason:
        raise MetarlError(f"{reason}; or use --device cpu")
    return "cpu" if device == "cpu" or reason else "cuda"


def explain(device: str, *distributions: Any) -> str | None:
    """Return a line that names the device that "auto" became, and the reason; None where the device was named."""
    if device != "auto":
        return None
    picked = pick_device(device, *distributions)
    return f"device: {picked} ({_against_cuda(distributions) or torch.cuda.get_device_name()})"


def _against_cuda(distributions: Sequence[Any]) -> str | None:
    return _no_cuda() or next(filter(None, (d.simulated_world.why_unfit("cuda") for d in distributions)), None)


def _no_cuda() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA: to use a GPU, install a build from pytorch.org"
    return "no CUDA device is available"
