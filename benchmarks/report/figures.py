"""The figures of a report, drawn from its document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from metarl.benchmarks.report.style import Look, looks
from metarl.benchmarks.results.scores import LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Document = Mapping[str, Any]
SOLVED = str(LEVELS[1])  # the level of the solved-fraction curve
MOST_EPISODES_BINNED = 10  # in longer trials each episode is one point


def figures(document: Document) -> Iterator[tuple[str, str, Figure]]:
    """Yield (file name, description, figure) in the order of the page.

    A distribution without a scale has no figures but that of learning from scratch.
    """
    if document["headline"]:
        yield "headline", "AUAC of every method, over all distributions and on each", headline(document)
    for d in document["distributions"]:
        name = d["name"]
        if d["scratch"]:
            yield f"{name}-scratch", f"adaptation and learning from scratch on {name}", from_scratch(document, d)
        if d["anchors"] is None or not d["methods"]:
            continue
        yield f"{name}-adaptation", f"adaptation curves on {name}", adaptation(document, d, d["scored"])
        if any("long" in e["eval_sets"] for e in d["methods"].values()):
            yield f"{name}-long", f"adaptation in long trials on {name}", adaptation(document, d, "long")
        yield f"{name}-solved", f"solved fraction on {name}", solved(document, d)
        yield f"{name}-tasks", f"AUAC by task on {name}", heat_map(document, d)
        if len(d["eval_sets"]) > 1:
            yield f"{name}-splits", f"train, test and ood tasks of {name}", splits(document, d)
        yield f"{name}-profile", f"performance profile on {name}", profiles(document, d)


def _new(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#eeeeee", lw=0.8)
        axis.set_axisbelow(True)
    return figure, axes


def headline(document: Document) -> Figure:
    """Draw each method's overall AUAC, then that on each distribution: dots with intervals, small dots for seeds."""
    look = looks(document)
    names = [row["method"] for row in document["headline"]]
    scored = [d for d in document["distributions"] if d["anchors"] is not None]
    columns = ([None] if len(scored) > 1 else []) + scored
    figure, axes = _new(2.2 + 2.6 * len(columns), 0.9 + 0.34 * len(names), len(columns))
    for axis, d in zip(axes, columns, strict=True):
        for at, name in enumerate(reversed(names)):
            colour = look[name].colour
            if d is None:
                row = next(row for row in document["headline"] if row["method"] == name)
                value, low, high = row["auac"], row["low"], row["high"]
            else:
                auac = d["methods"][name]["eval_sets"][d["scored"]]["auac"]
                value, low, high = auac["iqm"], auac["low"], auac["high"]
                axis.plot(auac["seeds"], [at] * len(auac["seeds"]), "o", color=colour, ms=3.5, alpha=0.35, mew=0)
            if low is not None:
                axis.plot((low, high), (at, at), color=colour, lw=3, alpha=0.55, solid_capstyle="round")
            axis.plot(value, at, "o", **_dot(look[name]), ms=7)
        for x in (0, 1):
            axis.axvline(x, color="#999999", lw=0.8, ls=":", zorder=0)
        axis.set_yticks(range(len(names)), reversed(names) if axis is axes[0] else [])
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_title("all distributions" if d is None else d["name"], fontsize=10)
        axis.set_xlabel("AUAC", fontsize=9)
    return figure


def adaptation(document: Document, d: Document, eval_set: str) -> Figure:
    """Draw scores over env steps: thin lines are seeds, bands the interval, dashed lines the starts of episodes.

    Each episode of a short trial is drawn in time bins, each of a long one as a point.
    """
    look = looks(document)
    figure, (axis,) = _new(8.4, 3.8)
    horizon, episodes = d["horizon"], max(len(data["returns"]) for _, data in _scored(d, eval_set))
    binned = episodes <= MOST_EPISODES_BINNED
    for name, data in _scored(d, eval_set):
        curve = data["curve" if binned else "by_episode"]
        for k, part in enumerate(_parts(len(curve["x"]), episodes)):  # a gap at each reset
            _stroke(axis, curve, part, look[name], name if k == 0 else None)
    for k in range(1, episodes) if binned else ():
        axis.axvline(k * horizon, color="#999999", lw=0.7, ls="--", zorder=0)
    axis.set_xlim(0, episodes * horizon)
    task = "a training task" if d["eval_sets"][eval_set]["split"] == "train" else "an unseen task"
    axis.set_xlabel(f"env steps on {task} ({episodes} episodes of at most {horizon})")
    axis.set_ylabel("score (0: random, 1: oracle)")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _stroke(axis: Axes, curve: Document, part: slice, look: Look, label: str | None) -> None:
    """Draw a method's line over a part of a curve, with its band and its seeds."""
    x = curve["x"][part]
    axis.plot(x, curve["mean"][part], look.line, color=look.colour, lw=look.width, label=label)
    if curve["low"] is not None:
        axis.fill_between(x, curve["low"][part], curve["high"][part], color=look.colour, alpha=0.16, lw=0)
    for seed in curve["seeds"] if len(curve["seeds"]) > 1 else ():
        axis.plot(x, seed[part], color=look.colour, lw=0.5, alpha=0.4)


def _parts(points: int, episodes: int) -> list[slice]:
    """Return the parts of a curve that are drawn as one line: episodes, or the trial where an episode is one point."""
    count = episodes if points > episodes else 1
    return [slice(k * points // count, (k + 1) * points // count) for k in range(count)]


def solved(document: Document, d: Document) -> Figure:
    """Draw the fraction of trials that have reached the level, over env steps."""
    look = looks(document)
    figure, (axis,) = _new(8.4, 3.2)
    for name, data in _scored(d, d["scored"]):
        reached = data["reached"][SOLVED]
        if not reached["fraction"]:
            continue
        axis.plot(
            reached["x"], reached["fraction"], look[name].line, color=look[name].colour, lw=look[name].width,
            label=name, drawstyle="steps-post",
        )  # fmt: skip
        if reached["low"] is not None:
            axis.fill_between(
                reached["x"], reached["low"], reached["high"], color=look[name].colour, alpha=0.16, lw=0, step="post"
            )
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlim(0)
    axis.set_xlabel("env steps on the task")
    axis.set_ylabel(f"fraction of trials that reached\n{SOLVED} of the oracle's return")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def from_scratch(document: Document, d: Document) -> Figure:
    """Draw raw returns over env steps on a task, of agents that adapt and of methods that learn it from scratch."""
    look, data = looks(document), d["scratch"]
    figure, (axis,) = _new(8.4, 3.6)
    for name, curve in data["learned"].items():
        for task in curve["tasks"]:
            axis.plot(curve["x"], task, color=look[name].colour, lw=0.5, alpha=0.5)
        axis.plot(curve["x"], curve["mean"], color=look[name].colour, lw=2.2, label=name)
    for name, of in data["adapting"].items():
        axis.plot(of["x"], of["mean"], "o-", color=look[name].colour, lw=look[name].width, ms=5, label=name)
    for name, level in data["levels"].items():
        if level is not None:
            axis.axhline(level, color=look[name].colour, lw=1.2, ls=":", zorder=0, label=name)
    axis.set_xscale("symlog", linthresh=d["horizon"] or 1)
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axis.set_xlim(0)
    axis.set_xlabel(f"env steps on a task, mean over {data['tasks']} tasks ({data['split']})")
    axis.set_ylabel("return of an episode")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def heat_map(document: Document, d: Document) -> Figure:
    """Draw the AUAC of each method on each task; tasks are sorted by their first parameter."""
    rows = [(name, data["by_task"]) for name, data in _scored(d, d["scored"]) if name != "random"]
    values = d["eval_sets"][d["scored"]]["values"]
    order, ticks, label = _sorted(values, len(rows[0][1]))
    figure, (axis,) = _new(8.4, 1.3 + 0.34 * len(rows))
    image = axis.imshow(
        np.array([by_task for _, by_task in rows])[:, order], aspect="auto", cmap="RdYlBu", vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.set_xticks(*ticks)
    axis.set_xlabel(label)
    axis.grid(visible=False)
    figure.colorbar(image, ax=axis, label="AUAC", extend="both", pad=0.01)
    return figure


def _sorted(values: Mapping[str, Any], n: int) -> tuple[np.ndarray, tuple[list[int], list[str]], str]:
    """Return the order of tasks, the ticks with their labels, and the axis label."""
    if not values:
        return np.arange(n), ([], []), "tasks"
    name = next(iter(values))
    column = np.array(values[name], dtype=float).reshape(n, -1)
    order = np.lexsort(column.T[::-1])
    at = sorted({round(i) for i in np.linspace(0, n - 1, min(n, 6))})
    texts = [", ".join(f"{x:.3g}" for x in column[order[i]]) for i in at]
    return order, (at, texts), f"tasks, sorted by {name}"


def splits(document: Document, d: Document) -> Figure:
    """Draw the AUAC on training tasks, unseen tasks, and tasks outside the training support."""
    look = looks(document)
    eval_sets = [eval_set for eval_set in ("train", "test", "ood") if eval_set in d["eval_sets"]]
    names = [name for name, _ in _scored(d, d["scored"]) if name != "random"]
    figure, (axis,) = _new(8.4, 3.0)
    for i, name in enumerate(names):
        shift = (i - (len(names) - 1) / 2) * 0.11
        points = [
            (k, d["methods"][name]["eval_sets"][p]["auac"])
            for k, p in enumerate(eval_sets)
            if p in d["methods"][name]["eval_sets"]
        ]
        x = [k + shift for k, _ in points]
        axis.plot(x, [auac["iqm"] for _, auac in points], look[name].line, color=look[name].colour, lw=0.8, alpha=0.6)
        axis.plot(x, [auac["iqm"] for _, auac in points], "o", **_dot(look[name]), ms=6, label=name)
        for at, (_, auac) in zip(x, points, strict=True):
            if auac["low"] is not None:
                axis.plot((at, at), (auac["low"], auac["high"]), color=look[name].colour, lw=2.5, alpha=0.5)
    titles = {
        "train": "training tasks",
        "test": "unseen tasks, same distribution",
        "ood": "outside the training support",
    }
    axis.set_xticks(range(len(eval_sets)), [titles[eval_set] for eval_set in eval_sets])
    axis.set_ylabel("AUAC")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _dot(look: Look) -> dict[str, Any]:
    """Return the style of a dot, hollow where the line is dashed."""
    return {"color": look.colour, "mfc": "white" if look.line == "--" else look.colour}


def profiles(document: Document, d: Document) -> Figure:
    """Draw the fraction of (seed, task) pairs whose AUAC is above each threshold."""
    look = looks(document)
    figure, (axis,) = _new(8.4, 3.0)
    for name, data in _scored(d, d["scored"]):
        profile = data["profile"]
        axis.plot(
            profile["x"], profile["fraction"], look[name].line, color=look[name].colour, lw=look[name].width, label=name
        )
    axis.set_xlabel("AUAC above")
    axis.set_ylabel("fraction of seeds and tasks")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _scored(d: Document, eval_set: str) -> Iterator[tuple[str, Document]]:
    """Yield the methods with scores on an eval set, and their data there."""
    for name, method in d["methods"].items():
        if "auac" in method["eval_sets"].get(eval_set, {}):
            yield name, method["eval_sets"][eval_set]
