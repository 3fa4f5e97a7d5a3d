"""The tables of a report as rows of text, for HTML, Markdown and the terminal alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metarl.benchmarks.results.scores import LEVELS
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS

Document = Mapping[str, Any]
MISSING = "–"


class Table(NamedTuple):
    """Columns, rows of as many cells, and a line on how to read it."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def headline(document: Document) -> Table:
    """Everybody's overall score and rank."""
    rows = []
    for row in document["headline"]:
        role = "control" if row["control"] else "agent"
        auac = _spread(row["auac"], row["low"], row["high"])
        rows.append((row["method"], role, auac, _rank(row), _seeds(row["seeds"], row["trained"])))
    return Table(
        ("method", "role", "AUAC", "rank", "seeds"), rows,
        "AUAC: mean score over the whole lifetime, 0 is acting at random, 1 is being told the task (IQM over seeds and "
        "tasks, averaged over distributions). In brackets: 95 % intervals, of ranks too, by a bootstrap over seeds and "
        "tasks. The ends of the scale are not ranked.",
    )  # fmt: skip


def scores(d: Document, eval_set: str) -> Table:
    """Everybody on one eval set."""
    columns = (
        "method", "AUAC", "mean", "median", "first episode", "last episode", "gain", "regret", "20th percentile",
        "forgetting",
    )  # fmt: skip
    rows = []
    for name, data in _scored(d, eval_set):
        auac = data["auac"]
        rows.append((
            name, _interval(auac), _number(auac["mean"]), _number(auac["median"]), _interval(data["first"]),
            _interval(data["last"]), _interval(data["gain"]), _number(data["regret"]), _number(data["low_tail"]),
            _number(data["forgetting"]["mean"]),
        ))  # fmt: skip
    return Table(columns, rows, (
        "IQMs over seeds and tasks, and 95 % intervals. Regret: episodes' worth of the reference that were missed. "
        "20th percentile: over tasks, seeds averaged. Forgetting: best episode so far minus the last one, mean."
    ))  # fmt: skip


def experience(d: Document, eval_set: str) -> Table:
    """Raw returns, and how soon the reference is reached."""
    columns = ("method", "return, first → last episode", *(f"steps to {level:g} (solved)" for level in LEVELS))
    rows = []
    for name, method in d["methods"].items():
        data = method["eval_sets"].get(eval_set)
        if data is not None:
            reached = [data["reached"][str(level)] if "reached" in data else None for level in LEVELS]
            returns = f"{data['returns'][0]:.4g} → {data['returns'][-1]:.4g}"
            rows.append((name, returns, *map(_reached, reached)))
    return Table(columns, rows, (
        "Mean env steps of experience until an episode earned that share of the task's own reference, lives that never "
        "did counted with the whole lifetime; in brackets the share of lives that did."
    ))  # fmt: skip


def _scored(d: Document, eval_set: str) -> Iterator[tuple[str, Document]]:
    for name, method in d["methods"].items():
        if "auac" in method["eval_sets"].get(eval_set, {}):
            yield name, method["eval_sets"][eval_set]


def comparisons(d: Document) -> Table:
    """Pairs."""
    rows = [
        (
            f"{row['a']} − {row['b']}", _spread(row["difference"], row.get("low"), row.get("high")),
            _p(row["welch"]), _p(row["holm"]),
            _spread(row["improvement"], row.get("improvement_low"), row.get("improvement_high")),
        )
        for row in d["comparisons"]
    ]  # fmt: skip
    return Table(
        ("pair", "difference in AUAC", "Welch's p", "after Holm", "P(first is better)"), rows,
        "Difference of IQMs with the same tasks drawn for both; Welch's t on seed means; Holm's correction over these "
        "pairs; the probability that a seed of the first beats a seed of the second on a task.",
    )  # fmt: skip


def gaps(d: Document) -> Table:
    """Generalisation."""
    kinds = ("train - test", "test - ood")
    rows = [
        (name, *(_gap(method["gaps"][kind]) for kind in kinds))
        for name, method in d["methods"].items()
        if any(method["gaps"].values())
    ]
    return Table(("method", "train − test", "test − ood"), rows, "How much AUAC is lost on tasks never trained on.")


def saved(d: Document) -> Table:
    """What adapting spares."""
    data = d["scratch"]
    rows = []
    for row in data["saved"]:
        curve, needed = data["learned"][row["learner"]], row["env_steps"]
        took = f"more than {curve['x'][-1]:,}" if needed is None else f"{needed:,}"
        rows.append((row["agent"], f"{row['return']:.4g}", f"{row['experience']:,.0f}", row["learner"], took))
    minutes = ", ".join(
        f"{name} took {curve['seconds'] / 60:.1f} minutes for {data['tasks']} tasks of {curve['x'][-1]:,} env steps"
        for name, curve in data["learned"].items()
    )
    return Table(
        ("agent", "return of its last episode", "env steps on the task by then", "who learns from scratch",
         "env steps until it earns as much"), rows,
        f"Means over the first {data['tasks']} {d['scored']} tasks. {minutes}.",
    )  # fmt: skip


def costs(d: Document) -> Table:
    """What it took."""
    rows = []
    for name, method in d["methods"].items():
        cost = method["cost"]
        steps, seconds = cost["env_steps"], cost["train_seconds"]
        rows.append((
            name, MISSING if steps is None else _of(steps, d["budget"].get(name)),
            MISSING if seconds is None else f"{seconds / 60:.1f}",
            f"{cost['live_seconds']:.1f}", f"{cost['peak_memory'] / 2**30:.2f}", str(cost["diverged"]),
            _seeds(method["seeds"], method["trained"]),
        ))  # fmt: skip
    columns = (
        "method",
        "env steps to train",
        "minutes to train",
        "seconds to evaluate",
        "peak memory, GiB",
        "diverged",
        "seeds",
    )
    return Table(columns, rows, "Means over seeds, one thread each; processes side by side slow each other down.")


def _of(steps: float, budget: Document | None) -> str:
    """Env steps, beside those of the suite where they are fewer."""
    fewer = budget is not None and steps < budget["suite"]
    return f"{steps:,.0f}" + (f" (the suite says {budget['suite']:,})" if budget and fewer else "")


def _interval(summary: Document) -> str:
    return _spread(summary["iqm"], summary["low"], summary["high"])


def _spread(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return MISSING
    return _number(value) if low is None or high is None else f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _rank(row: Document) -> str:
    if row.get("rank") is None:
        return MISSING
    spread = "" if row["rank_low"] is None else f" [{row['rank_low']:g}, {row['rank_high']:g}]"
    return f"{row['rank']:g}{spread}"


def _number(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _gap(gap: Document | None) -> str:
    return MISSING if gap is None else _spread(gap["difference"], gap["low"], gap["high"])


def _reached(reached: Document | None) -> str:
    if reached is None or reached["solved"] is None:
        return MISSING
    return f"{reached['restricted_mean']:.0f} ({reached['solved']:.0%})"


def _p(value: float | None) -> str:
    return MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _seeds(count: int, trained: bool) -> str:
    if not trained:
        return "nothing to train"
    return f"{count}" if count >= FEWEST_SEEDS else f"{count}, preliminary"
