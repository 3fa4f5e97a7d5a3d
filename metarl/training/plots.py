"""Plots of adaptation: reward against experience in a trial."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metarl.training.evaluate import EvalResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10  # bins of an episode
MAX_NAMES = 5  # names of episodes in a plot: more would overlap
COLOURS = ("#0b6e99", "#d9730d", "#8a8a8a", "#0f7b6c", "#6940a5", "#ad1a72")


def adaptation_curve(path: Path, title: str, results: Mapping[str, Mapping[str, EvalResult]]) -> None:
    """Plot the reward per step against env steps of experience in the trial, one subplot per split, one line per agent.

    A line is the mean over tasks. Its band is the 95 % interval of that mean, 1.96 standard errors over tasks. The band
    does not include the variation between training seeds. At a dashed line a new episode begins.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(1.5 + 4.6 * len(results), 3.9), squeeze=False, sharey=True)
    for axis, (split, agents) in zip(axes[0], results.items(), strict=True):
        for i, (name, result) in enumerate(agents.items()):  # the first agent is on top
            _line(axis, result, name, COLOURS[i % len(COLOURS)], zorder=2 + (len(agents) - i) / len(agents))
        first = next(iter(agents.values()))
        episodes, horizon = first.reward.shape[:2]
        for k in range(episodes):
            if k:
                axis.axvline(k * horizon, color="#999999", lw=0.8, ls="--", zorder=0)
            if not _is_named(k, episodes):
                continue
            above = {"xycoords": ("data", "axes fraction"), "xytext": (0, 4), "textcoords": "offset points"}
            middle = ((k + 0.5) * horizon, 1.0)
            axis.annotate(f"episode {k + 1}", middle, **above, ha="center", fontsize=8, color="#666666")
        axis.set_title(f"{split}: {len(first.tasks)} tasks", fontsize=10, pad=18)
        axis.set_xlabel("env steps of experience on the task")
        axis.set_xlim(0, episodes * horizon)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#eeeeee", lw=0.8)
        axis.set_axisbelow(True)
    axes[0, 0].set_ylabel("reward per step")
    axes[0, -1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    temporary = path.with_name(path.name + ".new")
    figure.savefig(temporary, dpi=150, format="png")
    plt.close(figure)
    temporary.replace(path)


def _is_named(k: int, episodes: int) -> bool:
    """Return whether episode k has its name in the plot: the last episode, and others at even distances before it."""
    distance = -(-episodes // MAX_NAMES)
    return k == episodes - 1 or (k % distance == 0 and episodes - 1 - k >= distance)


def _line(axis: Axes, result: EvalResult, name: str, colour: str, zorder: float) -> None:
    horizon = result.reward.shape[1]
    width = max(1, horizon // BINS)
    binned = result.binned(width)  # [K, bins, N]
    middle = np.minimum(np.arange(binned.shape[1]) * width + width / 2, horizon)
    mean = binned.mean(2)
    error = 1.96 * binned.std(2, ddof=1) / np.sqrt(binned.shape[2]) if binned.shape[2] > 1 else np.zeros_like(mean)
    for k in range(len(binned)):  # a line per episode, because the state is reset between them
        x = k * horizon + middle
        axis.plot(x, mean[k], color=colour, lw=2, label=name if k == 0 else None, zorder=zorder)
        low, high = mean[k] - error[k], mean[k] + error[k]
        axis.fill_between(x, low, high, color=colour, alpha=0.18, lw=0, zorder=zorder)
