"""Which device the work is done on."""

from __future__ import annotations

import sys

import torch

from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError


def pick_device(device: str, *distributions: TaskDistribution, say: bool = False) -> str:
    """cpu or cuda; `auto` is a GPU where there is one and these can be simulated on it. say: tell what it became.

    MetarlError where cuda is asked for and cannot be had.
    """
    if device == "cpu":
        return device
    reason = _no_cuda() or next(filter(None, (d.simulated_world.unfit("cuda") for d in distributions)), None)
    if device == "cuda":
        if reason:
            raise MetarlError(f"{reason}; or use --device cpu")
        return device
    picked, why = ("cpu", reason) if reason else ("cuda", torch.cuda.get_device_name())
    if say:
        print(f"device: {picked} ({why})", file=sys.stderr)
    return picked


def _no_cuda() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA: to use a GPU, install a build from pytorch.org"
    return "no CUDA device is at hand"
