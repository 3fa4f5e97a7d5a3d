"""The report as Markdown, and its numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from metarl.benchmarks.report import tables
from metarl.benchmarks.report.sentences import answers, describe_anchors, notices, verdicts
from metarl.benchmarks.report.tables import Table

Document = Mapping[str, Any]
SCORES = ("auac", "first", "last", "gain", "forgetting")


def markdown(document: Document) -> str:
    """Return the answers, the headline and the tables of each distribution as Markdown."""
    lines = [f"# Adaptation speed: the suite {document['suite']['name']}", "", document["suite"]["about"], ""]
    lines += [f"> {line}\n>" for line in notices(document)]
    lines += ["", *(f"- {line}" for line in answers(document)), ""]
    if document["headline"]:
        lines += [_table(tables.headline(document)), ""]
    for d in document["distributions"]:
        if d["methods"]:
            lines += [f"## {d['name']}", "", *([describe_anchors(d["anchors"]), ""] if d["anchors"] else [])]
            lines += [*(f"- {line}" for line in verdicts(document, d)), ""]
            lines += [_table(tables.scores(d, d["scored"])), ""]
            lines += [_table(tables.experience(d, d["scored"])), ""]
        if d["scratch"]:
            lines += [_table(tables.savings(d)), ""]
        if d["comparisons"]:
            lines += [_table(tables.comparisons(d)), ""]
        if d["methods"]:
            lines += [_table(tables.costs(d)), ""]
    lines += [
        "## How this report was made",
        "",
        "```",
        *(source["command"] for source in document["sources"]),
        "```",
        "",
    ]
    for d in document["distributions"]:
        lines += [
            f"- {d['name']}, {eval_set}: {p['tasks']} tasks, SHA-256 `{p['hash']}`"
            for eval_set, p in d["eval_sets"].items()
        ]
    lines += [f"- {m['cpu']}, {m['cores']} cores; {_versions(m)}" for m in document["machines"]]
    return "\n".join(lines) + "\n"


def as_csv(document: Document) -> str:
    """Return the scores as CSV, with a row for each distribution, eval set, method and score."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("distribution", "eval_set", "method", "seeds", "score", "iqm", "low", "high", "mean", "median"))
    for d in document["distributions"]:
        for name, method in d["methods"].items():
            for eval_set, data in method["eval_sets"].items():
                for score in SCORES if "auac" in data else ():
                    s = data[score]
                    numbers = (
                        "" if s[key] is None else repr(s[key]) for key in ("iqm", "low", "high", "mean", "median")
                    )
                    writer.writerow((d["name"], eval_set, name, len(data["seeds"]), score, *numbers))
    return out.getvalue()


def _table(table: Table) -> str:
    rows = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _versions(machine: Document) -> str:
    return ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
