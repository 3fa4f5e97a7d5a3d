"""Which device the work is done on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution


def pick_device(device: str, *distributions: TaskDistribution) -> str:
    """cpu or cuda; `auto` is a GPU where there is one and these can be simulated on it.

    MetarlError where cuda is asked for and cannot be had.
    """
    reason = None if device == "cpu" else _against_cuda(distributions)
    if device == "cuda" and reason:
        raise MetarlError(f"{reason}; or use --device cpu")
    return "cpu" if device == "cpu" or reason else "cuda"


def said(device: str, *distributions: TaskDistribution) -> str | None:
    """What `auto` became, and why; None where the device was named."""
    if device != "auto":
        return None
    picked = pick_device(device, *distributions)
    return f"device: {picked} ({_against_cuda(distributions) or torch.cuda.get_device_name()})"


def _against_cuda(distributions: Sequence[TaskDistribution]) -> str | None:
    return _no_cuda() or next(filter(None, (d.simulated_world.unfit("cuda") for d in distributions)), None)


def _no_cuda() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA: to use a GPU, install a build from pytorch.org"
    return "no CUDA device is at hand"
