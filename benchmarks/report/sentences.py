"""The answer in words, made from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Document = Mapping[str, Any]


def answers(document: Document) -> list[str]:
    """What the headline says, agent by agent."""
    unseen = all(d["generalisation"] for d in document["distributions"])
    lines = [_agent(row, unseen) for row in document["headline"] if not row["control"]]
    if any(row["low"] is None and row["trained"] for row in document["headline"]):
        few = document["statistics"]["fewest_seeds"]
        lines.append(
            f"Preliminary: fewer than {few} training seeds, so no intervals and no claim that a difference is real."
        )
    return lines


def verdicts(document: Document, d: Document) -> list[str]:
    """Of one distribution: how each agent compares with the others, and with its own controls; what adapting spares.

    A pair is told once, by the agent that ranks higher overall; all other pairs are in the tables.
    """
    agents = [row["method"] for row in document["headline"] if not row["control"]]
    pairs = [row for row in d["comparisons"] if row.get("low") is not None and _telling(document, agents, row)]
    lines = []
    for agent in agents:
        own = [_seen_by(agent, row) for row in pairs if agent in (row["a"], row["b"])]
        pairs = [row for row in pairs if agent not in (row["a"], row["b"])]
        lines += [_compared(agent, own)] if own else []
    return lines + (_saved(d) if d["scratch"] else [])


def notices(document: Document) -> list[str]:
    """What a reader must know before the numbers: failures, what is missing, warnings."""
    lines = [f"Failed: {failure['run_key']}: {failure['reason']}" for failure in document["failures"]]
    if document["unfinished"]:
        shown = "; ".join(document["unfinished"][:5])
        more = len(document["unfinished"]) - 5
        lines.append(f"Not finished: {shown}" + (f" and {more} more" if more > 0 else ""))
    lines += _shortened(document)
    for d in document["distributions"]:
        if not d["generalisation"]:
            lines.append(f"{d['name']} has training tasks only: its scores say nothing about generalisation.")
    return lines + [f"Warning: {warning}" for warning in document["warnings"]]


def anchors(reference: Document) -> str:
    """What the scores of a distribution mean, and whose returns they are made of."""
    floor, best, ceiling = (reference[name] for name in ("floor", "best", "ceiling"))
    known = f" As good as exploring can be: {_anchor(ceiling)}." if ceiling else ""
    return f"Score 0 is a return of {_anchor(floor)}, 1 is {_anchor(best)}; means over tasks.{known}"


def _anchor(end: Document) -> str:
    error = "" if end["error"] is None else f" ± {end['error']:.2g}"
    return f"{end['return']:.4g}{error} ({end['by']})"


def _shortened(document: Document) -> list[str]:
    """Whether less was done than the suite says."""
    lines = []
    for d in document["distributions"]:
        short: dict[tuple[int, int], list[str]] = {}
        for name, budget in d["budget"].items():
            if budget["env_steps"] < budget["suite"]:
                short.setdefault((budget["env_steps"], budget["suite"]), []).append(name)
        if short:
            each = "; ".join(f"{', '.join(who)}: {now:,} of {full:,}" for (now, full), who in short.items())
            lines.append(f"Preliminary: on {d['name']} fewer env steps of training than the suite says ({each}).")
    if document["left_out"]:
        lines.append(f"Left out of the suite: {', '.join(document['left_out'])}.")
    return lines


def _saved(d: Document) -> list[str]:
    """What adapting spares, agent by agent."""
    return [_spared(d["scratch"]["learned"][row["learner"]], row) for row in d["scratch"]["saved"]]


def _spared(curve: Document, row: Document) -> str:
    agent, learner, lived = row["agent"], row["learner"], row["experience"]
    if row["env_steps"] is None:
        took = f"is not reached by {learner} within {curve['x'][-1]:,} env steps"
    elif row["env_steps"] <= lived:
        return f"{learner} is no slower than {agent}, which has learned nothing that helps on these tasks."
    else:
        took = f"takes {learner} {row['env_steps']:,} ({row['env_steps'] / lived:,.0f} times as many)"
    return f"What {agent} earns after {lived:,.0f} env steps on a task ({row['return']:.4g}) {took}."


def _telling(document: Document, agents: Sequence[str], row: Document) -> bool:
    """Whether two agents are compared, or an agent with a control made of it."""
    a, b = row["a"], row["b"]
    made_of = {name: method["of"] for name, method in document["methods"].items()}
    return (a in agents and b in agents) or (a in agents and made_of[b] == a) or (b in agents and made_of[a] == b)


def _agent(row: Document, unseen: bool) -> str:
    where = " on tasks it never trained on" if unseen else ""
    spread = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return (
        f"Over its whole lifetime{where}, {row['method']} earns {row['auac']:.2f}{spread} of "
        "what being told the task earns over acting at random."
    )


class _Rival(NamedTuple):
    """An agent's lead over another, with its interval."""

    name: str
    lead: float
    low: float
    high: float

    def told(self) -> str:
        low, high = sorted((abs(self.low), abs(self.high)))
        return f"{self.name} by {abs(self.lead):.2f} [{low:.2f}, {high:.2f}]"


def _seen_by(agent: str, row: Document) -> _Rival:
    if row["a"] == agent:
        return _Rival(row["b"], row["difference"], row["low"], row["high"])
    return _Rival(row["a"], -row["difference"], -row["high"], -row["low"])


def _compared(agent: str, rivals: Sequence[_Rival]) -> str:
    better = [r.told() for r in rivals if r.low > 0]
    worse = [r.told() for r in rivals if r.high < 0]
    open_ = [r.name for r in rivals if r.low <= 0 <= r.high]
    parts = [
        f"is better than {_listed(better)}" if better else "",
        f"is worse than {_listed(worse)}" if worse else "",
        f"cannot be told apart from {_listed(open_)}" if open_ else "",
    ]
    return f"{agent} {'; it '.join(part for part in parts if part)}."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, ("; ".join(names[:-1]), names[-1]))) if names else ""
