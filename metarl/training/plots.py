"""Pictures of adaptation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metarl.training.evaluate import EvalResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 10  # in an episode
NAMED = 5  # episodes: more names than this run into one another
COLOURS = ("#0b6e99", "#d9730d", "#8a8a8a", "#0f7b6c", "#6940a5", "#ad1a72")


def adaptation_curve(path: Path, title: str, results: Mapping[str, Mapping[str, EvalResult]]) -> None:
    """Reward a step against env steps of experience in the trial; one panel a split, one line an agent.

    Line: mean over tasks. Band: 95 % interval of that mean, 1.96 standard errors over tasks (tasks vary, the trained
    weights are one draw: it says nothing about another training seed). Dashed lines: a new episode begins.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(1.5 + 4.6 * len(results), 3.9), squeeze=False, sharey=True)
    for axis, (split, agents) in zip(axes[0], results.items(), strict=True):
        for i, (name, lifetimes) in enumerate(agents.items()):  # the first one on top
            _line(axis, lifetimes, name, COLOURS[i % len(COLOURS)], zorder=2 + (len(agents) - i) / len(agents))
        one = next(iter(agents.values()))
        episodes, horizon = one.reward.shape[:2]
        for k in range(episodes):
            if k:
                axis.axvline(k * horizon, color="#999999", lw=0.8, ls="--", zorder=0)
            if not _is_named(k, episodes):
                continue
            above = {"xycoords": ("data", "axes fraction"), "xytext": (0, 4), "textcoords": "offset points"}
            middle = ((k + 0.5) * horizon, 1.0)
            axis.annotate(f"episode {k + 1}", middle, **above, ha="center", fontsize=8, color="#666666")
        axis.set_title(f"{split}: {len(one.tasks)} tasks", fontsize=10, pad=18)
        axis.set_xlabel("env steps of experience on the task")
        axis.set_xlim(0, episodes * horizon)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#eeeeee", lw=0.8)
        axis.set_axisbelow(True)
    axes[0, 0].set_ylabel("reward a step")
    axes[0, -1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    temporary = path.with_name(path.name + ".new")
    figure.savefig(temporary, dpi=150, format="png")
    plt.close(figure)
    temporary.replace(path)


def _is_named(k: int, episodes: int) -> bool:
    """Whether episode k has its name above: the last one does, and others as far apart as there is room for."""
    apart = -(-episodes // NAMED)
    return k == episodes - 1 or (k % apart == 0 and episodes - 1 - k >= apart)


def _line(axis: Axes, lifetimes: EvalResult, name: str, colour: str, zorder: float) -> None:
    horizon = lifetimes.reward.shape[1]
    width = max(1, horizon // BINS)
    binned = lifetimes.binned(width)  # [K, bins, N]
    middle = np.minimum(np.arange(binned.shape[1]) * width + width / 2, horizon)
    mean = binned.mean(2)
    error = 1.96 * binned.std(2, ddof=1) / np.sqrt(binned.shape[2]) if binned.shape[2] > 1 else np.zeros_like(mean)
    for k in range(len(binned)):  # a gap between episodes: the state starts anew
        x = k * horizon + middle
        axis.plot(x, mean[k], color=colour, lw=2, label=name if k == 0 else None, zorder=zorder)
        low, high = mean[k] - error[k], mean[k] + error[k]
        axis.fill_between(x, low, high, color=colour, alpha=0.18, lw=0, zorder=zorder)
