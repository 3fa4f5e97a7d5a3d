"""The report's answers in words, made from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Document = Mapping[str, Any]


def answers(document: Document) -> list[str]:
    """Return a sentence on the headline of each agent."""
    unseen = all(d["generalisation"] for d in document["distributions"])
    lines = [_agent(row, unseen) for row in document["headline"] if not row["control"]]
    if any(row["low"] is None and row["trained"] for row in document["headline"]):
        few = document["statistics"]["fewest_seeds"]
        lines.append(
            f"Preliminary: fewer than {few} training seeds, so there are no intervals, and differences may be chance."
        )
    return lines


def verdicts(document: Document, d: Document) -> list[str]:
    """Return the comparisons of each agent with others and with its own controls, on one distribution.

    Each pair is reported once, for the agent that ranks higher overall. Pairs with other controls are left to the
    tables. Comparisons with learning from scratch follow.
    """
    agents = [row["method"] for row in document["headline"] if not row["control"]]
    pairs = [row for row in d["comparisons"] if row.get("low") is not None and _is_reported(document, agents, row)]
    lines = []
    for agent in agents:
        own = [_difference(agent, row) for row in pairs if agent in (row["a"], row["b"])]
        pairs = [row for row in pairs if agent not in (row["a"], row["b"])]
        lines += [_compared(agent, own)] if own else []
    return lines + (_savings(d) if d["scratch"] else [])


def notices(document: Document) -> list[str]:
    """Return failures, missing results, smaller budgets and warnings, which come before the numbers."""
    lines = [f"Failed: {failure['run_key']}: {failure['reason']}" for failure in document["failures"]]
    if document["unfinished"]:
        shown = "; ".join(document["unfinished"][:5])
        more = len(document["unfinished"]) - 5
        lines.append(f"Not finished: {shown}" + (f" and {more} more" if more > 0 else ""))
    lines += _limited(document)
    for d in document["distributions"]:
        if not d["generalisation"]:
            lines.append(f"{d['name']} has training tasks only: its scores are no measure of generalisation.")
    return lines + [f"Warning: {warning}" for warning in document["warnings"]]


def describe_anchors(anchors: Document) -> str:
    """Return a sentence on the score anchors of a distribution."""
    random, oracle, bayes_optimal = (anchors[name] for name in ("random", "oracle", "bayes_optimal"))
    known = f" The Bayes-optimal return is {_anchor(bayes_optimal)}." if bayes_optimal else ""
    return f"Score 0 is a return of {_anchor(random)}, score 1 one of {_anchor(oracle)}; means over tasks.{known}"


def _anchor(anchor: Document) -> str:
    error = "" if anchor["error"] is None else f" ± {anchor['error']:.2g}"
    return f"{anchor['return']:.4g}{error} ({anchor['source']})"


def _limited(document: Document) -> list[str]:
    """Return notices of smaller training budgets and of distributions that were left out."""
    lines = []
    for d in document["distributions"]:
        limited: dict[tuple[int, int], list[str]] = {}
        for name, budget in d["budget"].items():
            if budget["env_steps"] < budget["suite"]:
                limited.setdefault((budget["env_steps"], budget["suite"]), []).append(name)
        if limited:
            each = "; ".join(f"{', '.join(names)}: {now:,} of {full:,}" for (now, full), names in limited.items())
            lines.append(f"Preliminary: on {d['name']} fewer env steps of training than in the suite ({each}).")
    if document["left_out"]:
        lines.append(f"Left out of the suite: {', '.join(document['left_out'])}.")
    return lines


def _savings(d: Document) -> list[str]:
    """Return a comparison of each agent with each method from scratch."""
    return [_saved(d["scratch"]["learned"][row["learner"]], row) for row in d["scratch"]["savings"]]


def _saved(curve: Document, row: Document) -> str:
    agent, learner, experience = row["agent"], row["learner"], row["experience"]
    if row["env_steps"] is None:
        needed = f"{learner} does not reach it within {curve['x'][-1]:,}"
    elif row["env_steps"] <= experience:
        return f"{learner} reaches the return of {agent} in no more env steps: training does not help on these tasks."
    else:
        needed = f"{learner} needs {row['env_steps']:,} ({row['env_steps'] / experience:,.0f} times as many)"
    return f"{agent} has a return of {row['return']:.4g} after {experience:,.0f} env steps on a task; {needed}."


def _is_reported(document: Document, agents: Sequence[str], row: Document) -> bool:
    """Return True for two agents, and for an agent with a control that uses its weights."""
    a, b = row["a"], row["b"]
    owner = {name: method["of"] for name, method in document["methods"].items()}
    return (a in agents and b in agents) or (a in agents and owner[b] == a) or (b in agents and owner[a] == b)


def _agent(row: Document, unseen: bool) -> str:
    where = " on unseen tasks" if unseen else ""
    interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return (
        f"{row['method']} has a mean score of {row['auac']:.2f}{interval} over a trial{where} "
        "(0: random actions, 1: the oracle, which is given the task)."
    )


class _Difference(NamedTuple):
    """The difference of an agent's score to another method's, with its interval."""

    name: str  # of the other method
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        low, high = sorted((abs(self.low), abs(self.high)))
        return f"{self.name} by {abs(self.value):.2f} [{low:.2f}, {high:.2f}]"


def _difference(agent: str, row: Document) -> _Difference:
    if row["a"] == agent:
        return _Difference(row["b"], row["difference"], row["low"], row["high"])
    return _Difference(row["a"], -row["difference"], -row["high"], -row["low"])


def _compared(agent: str, differences: Sequence[_Difference]) -> str:
    better = [str(d) for d in differences if d.low > 0]
    worse = [str(d) for d in differences if d.high < 0]
    unclear = [d.name for d in differences if d.low <= 0 <= d.high]
    parts = [
        f"is better than {_listed(better)}" if better else "",
        f"is worse than {_listed(worse)}" if worse else "",
        f"does not differ significantly from {_listed(unclear)}" if unclear else "",
    ]
    return f"{agent} {'; it '.join(part for part in parts if part)}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, ("; ".join(names[:-1]), names[-1]))) if names else ""
