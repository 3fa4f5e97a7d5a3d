"""The tables of a report as rows of text, for HTML, Markdown and the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from metarl.benchmarks.results.scores import LEVELS
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS

Document = Mapping[str, Any]
MISSING = "–"


class Table(NamedTuple):
    """A table: column names, rows of text, and a note below it."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def headline(document: Document) -> Table:
    """Return the overall AUAC and rank of each method."""
    rows = []
    for row in document["headline"]:
        role = "control" if row["control"] else "agent"
        auac = _with_interval(row["auac"], row["low"], row["high"])
        rows.append((row["method"], role, auac, _rank(row), _seeds(row["seeds"], row["trained"])))
    return Table(
        ("method", "role", "AUAC", "rank", "seeds"), rows,
        "AUAC: area under the adaptation curve, the mean score over a trial; 0 is the return of random actions, 1 that "
        "of the oracle, which is given the task (IQM over seeds and tasks, averaged over distributions). In brackets: "
        "95 % intervals, also of ranks, by a bootstrap over seeds and tasks. Score anchors are not ranked.",
    )  # fmt: skip


def scores(d: Document, eval_set: str) -> Table:
    """Return the scores of each method on one eval set."""
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
        "IQMs over seeds and tasks, and 95 % intervals. Regret: number of episodes x (1 − AUAC). 20th percentile: over "
        "tasks, seeds averaged. Forgetting: score of the best episode minus that of the last one, mean."
    ))  # fmt: skip


def experience(d: Document, eval_set: str) -> Table:
    """Return raw returns, and the env steps until fractions of the oracle's return are reached."""
    columns = ("method", "return, first → last episode", *(f"steps to {level:g} (solved)" for level in LEVELS))
    rows = []
    for name, method in d["methods"].items():
        data = method["eval_sets"].get(eval_set)
        if data is not None:
            reached = [data["reached"][str(level)] if "reached" in data else None for level in LEVELS]
            returns = f"{data['returns'][0]:.4g} → {data['returns'][-1]:.4g}"
            rows.append((name, returns, *map(_reached, reached)))
    return Table(columns, rows, (
        "Mean env steps until an episode has reached the given fraction of the way from the random to the oracle's "
        "return on the task; trials that never reach it count with their full length. In brackets: the fraction of "
        "trials that reach it."
    ))  # fmt: skip


def _scored(d: Document, eval_set: str) -> Iterator[tuple[str, Document]]:
    for name, method in d["methods"].items():
        if "auac" in method["eval_sets"].get(eval_set, {}):
            yield name, method["eval_sets"][eval_set]


def comparisons(d: Document) -> Table:
    """Return the comparisons of pairs of methods."""
    rows = [
        (
            f"{row['a']} − {row['b']}", _with_interval(row["difference"], row.get("low"), row.get("high")),
            _p(row["welch"]), _p(row["holm"]),
            _with_interval(row["improvement"], row.get("improvement_low"), row.get("improvement_high")),
        )
        for row in d["comparisons"]
    ]  # fmt: skip
    return Table(
        ("pair", "difference in AUAC", "Welch's p", "after Holm", "P(first is better)"), rows,
        "Difference of IQMs, the bootstrap draws the same tasks for both; p of Welch's t-test on seed means, and with "
        "Holm's correction over these pairs; probability that a seed of the first scores higher than a seed of the "
        "second on a task.",
    )  # fmt: skip


def gaps(d: Document) -> Table:
    """Return the differences of AUAC between eval sets."""
    pairs = ("train - test", "test - ood")
    rows = [
        (name, *(_gap(method["gaps"][pair]) for pair in pairs))
        for name, method in d["methods"].items()
        if any(method["gaps"].values())
    ]
    return Table(("method", "train − test", "test − ood"), rows, "Loss of AUAC on tasks that were not trained on.")


def savings(d: Document) -> Table:
    """Return the env steps that learning from scratch needs for an agent's return after adaptation."""
    data = d["scratch"]
    rows = []
    for row in data["savings"]:
        curve, steps = data["learned"][row["learner"]], row["env_steps"]
        needed = f"more than {curve['x'][-1]:,}" if steps is None else f"{steps:,}"
        rows.append((row["agent"], f"{row['return']:.4g}", f"{row['experience']:,.0f}", row["learner"], needed))
    minutes = ", ".join(
        f"{name} took {curve['seconds'] / 60:.1f} minutes for {data['tasks']} tasks of {curve['x'][-1]:,} env steps"
        for name, curve in data["learned"].items()
    )
    return Table(
        ("agent", "return of its last episode", "env steps on the task by then", "method from scratch",
         "env steps to the same return"), rows,
        f"Means over the first {data['tasks']} {d['scored']} tasks. {minutes}.",
    )  # fmt: skip


def costs(d: Document) -> Table:
    """Return the cost of training and evaluation."""
    rows = []
    for name, method in d["methods"].items():
        cost = method["cost"]
        steps, seconds = cost["env_steps"], cost["train_seconds"]
        rows.append((
            name, MISSING if steps is None else _of(steps, d["budget"].get(name)),
            MISSING if seconds is None else f"{seconds / 60:.1f}",
            f"{cost['evaluate_seconds']:.1f}", f"{cost['peak_memory'] / 2**30:.2f}", str(cost["diverged"]),
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
    return Table(
        columns,
        rows,
        "Means over seeds, with one thread each. Processes that run at the same time slow each other down.",
    )


def _of(steps: float, budget: Document | None) -> str:
    """Return env steps, with those of the suite where they are fewer."""
    fewer = budget is not None and steps < budget["suite"]
    return f"{steps:,.0f}" + (f" ({budget['suite']:,} in the suite)" if budget and fewer else "")


def _interval(summary: Document) -> str:
    return _with_interval(summary["iqm"], summary["low"], summary["high"])


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return MISSING
    return _number(value) if low is None or high is None else f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _rank(row: Document) -> str:
    if row.get("rank") is None:
        return MISSING
    interval = "" if row["rank_low"] is None else f" [{row['rank_low']:g}, {row['rank_high']:g}]"
    return f"{row['rank']:g}{interval}"


def _number(value: float) -> str:
    """Return a number with two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _gap(gap: Document | None) -> str:
    return MISSING if gap is None else _with_interval(gap["difference"], gap["low"], gap["high"])


def _reached(reached: Document | None) -> str:
    if reached is None or reached["solved"] is None:
        return MISSING
    return f"{reached['restricted_mean']:.0f} ({reached['solved']:.0%})"


def _p(value: float | None) -> str:
    return MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _seeds(count: int, trained: bool) -> str:
    if not trained:
        return "no training"
    return f"{count}" if count >= FEWEST_SEEDS else f"{count}, preliminary"
