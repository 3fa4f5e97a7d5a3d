"""The report as HTML: one file that contains its figures, and loads nothing from a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from metarl.benchmarks.report import tables
from metarl.benchmarks.report.figures import SOLVED
from metarl.benchmarks.report.sentences import answers, describe_anchors, notices, verdicts
from metarl.benchmarks.report.tables import Table

Document = Mapping[str, Any]
STYLE = Path(__file__).with_name("page.css")

CAPTIONS = {
    "headline": "Large dots: AUAC, with 95 % intervals where there are enough seeds. Small dots: single seeds. Dotted "
    "lines: random actions (0) and the oracle, which is given the task (1).",
    "adaptation": "Reward per step as a score, mean over tasks and seeds, against env steps on the task. A rise from "
    "one episode to the next is adaptation. Within an episode, rewards are not evenly distributed over time, so a line "
    "may exceed 1. Bands: 95 % intervals. Thin lines: single seeds. Dashed lines: starts of episodes.",
    "long": "The same agents in trials with more episodes than in training: the score of each episode.",
    "solved": f"Fraction of trials in which an episode has reached {SOLVED} of the way from the random to the oracle's "
    "return on the task.",
    "scratch": "Raw return on the same tasks. Dots: the episodes of an agent while it adapts. Lines: an algorithm that "
    "learns each task alone, from scratch; its mean policy is tested during the training. Thin lines: single tasks.",
    "tasks": "Each column is a task. Blue: as good as the oracle; red: no better than random actions.",
    "splits": "AUAC on training tasks, on unseen tasks, and on tasks outside the training support.",
    "profile": "Fraction of seeds and tasks whose AUAC is above each value.",
}


def page(document: Document, figures: Mapping[str, tuple[str, bytes]]) -> str:
    """Return the page. figures: name -> (description, SVG)."""
    name = document["suite"]["name"]
    scored = [d for d in document["distributions"] if d["methods"]]
    links = " ".join(f'<a href="#{escape(d["name"])}">{escape(d["name"])}</a>' for d in scored)
    parts = [
        f"<h1>Adaptation speed: the suite {escape(name)}</h1>",
        f'<p class="quiet">{escape(document["suite"]["about"])}</p>',
        _notices(document),
        _list(answers(document)),
        _figure(figures, "headline", "headline"),
        _table(tables.headline(document)) if document["headline"] else "",
        f'<nav class="quiet">{links} <a href="#made">How this report was made</a></nav>',
        *(_distribution(document, d, figures) for d in scored),
        _made(document),
    ]
    style = STYLE.read_text()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>metarl benchmark: {escape(name)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _list(lines: list[str]) -> str:
    return '<ul class="answer">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _notices(document: Document) -> str:
    lines = notices(document)
    return '<div class="notice">' + "".join(f"<p>{escape(line)}</p>" for line in lines) + "</div>" if lines else ""


def _distribution(document: Document, d: Document, figures: Mapping[str, tuple[str, bytes]]) -> str:
    name = d["name"]
    has_scores = d["anchors"] is not None
    count = d["eval_sets"][d["scored"]]["tasks"]
    size = f"{d['episodes']} episodes of {d['horizon']} steps on each of {count} {d['scored']} tasks"
    scale = " " + describe_anchors(d["anchors"]) if has_scores else ""
    parts = [f'<h2 id="{escape(name)}">{escape(name)}</h2><p class="quiet">{escape(size)}.{escape(scale)}</p>']
    parts.append(_list(verdicts(document, d)))
    for kind, title in (("adaptation", "Adaptation"), ("long", "Long trials")):
        parts.append(_titled(title, _figure(figures, f"{name}-{kind}", kind)))
    if has_scores:
        parts.append(_titled("Scores", _table(tables.scores(d, d["scored"]))))
    experience = _figure(figures, f"{name}-solved", "solved") + _table(tables.experience(d, d["scored"]))
    parts.append(_titled("Env steps to a level", experience))
    parts.append(_titled("Scores by task", _figure(figures, f"{name}-tasks", "tasks")))
    if d["scratch"]:
        savings = _figure(figures, f"{name}-scratch", "scratch") + _table(tables.savings(d))
        parts.append(_titled("Adaptation and learning from scratch", savings))
    gaps = tables.gaps(d)
    parts.append(
        _titled("Generalisation", _figure(figures, f"{name}-splits", "splits") + (_table(gaps) if gaps.rows else ""))
    )
    parts.append(_titled("Performance profile", _figure(figures, f"{name}-profile", "profile")))
    comparisons = tables.comparisons(d)
    parts.append(_titled("Comparisons", _table(comparisons) if comparisons.rows else ""))
    parts.append(_titled("Cost", _table(tables.costs(d))))
    return "\n".join(part for part in parts if part)


def _made(document: Document) -> str:
    commands = "\n".join(escape(source["command"]) for source in document["sources"])
    machines = "".join(
        f"<li>{escape(m['cpu'])}, {m['cores']} cores, {escape(m['system'])}; "
        + escape(", ".join(f"{name} {version}" for name, version in m["versions"].items() if version))
        + "</li>"
        for m in document["machines"]
    )
    hashes = Table(
        ("distribution", "eval set", "tasks", "SHA-256 of the frozen tasks"),
        [
            (d["name"], eval_set, str(p["tasks"]), p["hash"])
            for d in document["distributions"]
            for eval_set, p in d["eval_sets"].items()
        ],
    )
    methods = Table(
        ("method", "agent", "weights of", "settings", "actions"),
        [
            (name, m["agent"], m["of"] or "its own", _settings(m), "mean" if m["deterministic"] else "sampled")
            for name, m in document["methods"].items()
        ],
    )  # fmt: skip
    s = document["statistics"]
    note = (
        f"Intervals: percentiles of {s['repetitions']:,} repetitions that draw training seeds and tasks with "
        f"replacement; with fewer than {s['fewest_seeds']} seeds there are none. Scores are not clipped. metarl "
        f"{document['metarl']}, report schema {document['schema']}."
    )
    return (
        f'<h2 id="made">How this report was made</h2><pre>{commands}</pre><ul class="quiet">{machines}</ul>'
        f'{_table(methods)}{_table(hashes)}<p class="quiet">{escape(note)}</p>'
    )


def _settings(method: Document) -> str:
    return ", ".join(f"{name} = {value}" for name, value in method["settings"].items()) or "none"


def _titled(title: str, content: str) -> str:
    return f"<h3>{escape(title)}</h3>\n{content}" if content else ""


def _figure(figures: Mapping[str, tuple[str, bytes]], name: str, kind: str) -> str:
    if name not in figures:
        return ""
    about, svg = figures[name]
    source = base64.b64encode(svg).decode()
    return (
        f'<figure><img alt="{escape(about)}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption>{escape(CAPTIONS[kind])}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    note = f'<p class="quiet">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'
