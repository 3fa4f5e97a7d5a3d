"""`report.html`: one file with everything in it, that opens without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from metarl.benchmarks.report import tables
from metarl.benchmarks.report.figures import SOLVED
from metarl.benchmarks.report.sentences import anchors, answers, notices, verdicts
from metarl.benchmarks.report.tables import Table

Document = Mapping[str, Any]
STYLE = Path(__file__).with_name("page.css")

CAPTIONS = {
    "headline": "Large dots: AUAC, with 95 % intervals where there are enough seeds; small dots: single seeds. Dotted "
    "lines: acting at random (0) and being told the task (1).",
    "adaptation": "Reward rate as a score, mean over tasks and seeds, against experience. A line that climbs from "
    "episode to episode is adaptation; inside of one, rewards come when they come, so that lines pass 1. Bands: 95 % "
    "intervals; thin lines: single seeds; dashed: an episode begins.",
    "long": "The same agents on a lifetime longer than the one they were trained for: the score of each episode.",
    "solved": f"How much experience it takes until an episode earns {SOLVED} of what the reference earns on that task.",
    "scratch": "Raw return on the same tasks. An agent's dots: its episodes, while it adapts. Lines: an algorithm that "
    "learns each task alone, from nothing, its mean policy tested on the way; thin: single tasks.",
    "tasks": "Where does it fail? Each column is a task: blue is as good as being told the task, red as bad as random.",
    "splits": "What is lost on tasks that were not trained on, and outside of the training support.",
    "profile": "The higher a line, the more of its seeds and tasks are above that score.",
}


def page(document: Document, figures: Mapping[str, tuple[str, bytes]]) -> str:
    """The whole page. figures: name -> (what it shows, SVG)."""
    name = document["suite"]["name"]
    scored = [d for d in document["distributions"] if d["methods"]]
    links = " ".join(f'<a href="#{escape(d["name"])}">{escape(d["name"])}</a>' for d in scored)
    parts = [
        f"<h1>How fast do they adapt? The suite {escape(name)}</h1>",
        f'<p class="quiet">{escape(document["suite"]["about"])}</p>',
        _notices(document),
        _list(answers(document)),
        _figure(figures, "headline", "headline"),
        _table(tables.headline(document)) if document["headline"] else "",
        f'<nav class="quiet">{links} <a href="#made">How this was made</a></nav>',
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
    reference = d["reference"]
    count = d["eval_sets"][d["scored"]]["tasks"]
    size = f"{d['episodes']} episodes of {d['horizon']} steps on each of {count} {d['scored']} tasks"
    scale = "" if reference is None else " " + anchors(reference)
    parts = [f'<h2 id="{escape(name)}">{escape(name)}</h2><p class="quiet">{escape(size)}.{escape(scale)}</p>']
    parts.append(_list(verdicts(document, d)))
    for kind, title in (("adaptation", "Adaptation"), ("long", "A long lifetime")):
        parts.append(_titled(title, _figure(figures, f"{name}-{kind}", kind)))
    if reference is not None:
        parts.append(_titled("Scores", _table(tables.scores(d, d["scored"]))))
    needed = _figure(figures, f"{name}-solved", "solved") + _table(tables.experience(d, d["scored"]))
    parts.append(_titled("Experience needed", needed))
    parts.append(_titled("Task by task", _figure(figures, f"{name}-tasks", "tasks")))
    if d["scratch"]:
        saved = _figure(figures, f"{name}-scratch", "scratch") + _table(tables.saved(d))
        parts.append(_titled("What adaptation saves", saved))
    gaps = tables.gaps(d)
    parts.append(
        _titled("Generalisation", _figure(figures, f"{name}-splits", "splits") + (_table(gaps) if gaps.rows else ""))
    )
    parts.append(_titled("Performance profile", _figure(figures, f"{name}-profile", "profile")))
    comparisons = tables.comparisons(d)
    parts.append(_titled("Is the difference real?", _table(comparisons) if comparisons.rows else ""))
    parts.append(_titled("What it cost", _table(tables.costs(d))))
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
        ("distribution", "eval_set", "tasks", "SHA-256 of the frozen tasks"),
        [
            (d["name"], eval_set, str(p["tasks"]), p["hash"])
            for d in document["distributions"]
            for eval_set, p in d["eval_sets"].items()
        ],
    )
    methods = Table(
        ("method", "agent", "lives from the training of", "settings changed", "actions"),
        [
            (name, e["agent"], e["of"] or "itself", _settings(e), "its mean" if e["deterministic"] else "drawn")
            for name, e in document["methods"].items()
        ],
    )  # fmt: skip
    s = document["statistics"]
    note = (
        f"Intervals: percentiles of {s['repetitions']:,} repetitions that draw training seeds and tasks with "
        f"replacement; fewer than {s['fewest_seeds']} seeds get none. Scores are never clipped. metarl "
        f"{document['metarl']}, report schema {document['schema']}."
    )
    return (
        f'<h2 id="made">How this was made</h2><pre>{commands}</pre><ul class="quiet">{machines}</ul>'
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
    rows = "".join("<tr>" + "".join(f"<td>{escape(run_key)}</td>" for run_key in row) + "</tr>" for row in table.rows)
    note = f'<p class="quiet">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}'
