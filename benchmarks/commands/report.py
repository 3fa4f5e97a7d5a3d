"""`metarl report FOLDER...`: merge the results of one or several folders of a suite, and write the report."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table as RichTable

from metarl.benchmarks.report import tables
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.figures import figures
from metarl.benchmarks.report.markdown_csv import as_csv, markdown
from metarl.benchmarks.report.page import page
from metarl.benchmarks.report.sentences import answers, notices, verdicts
from metarl.benchmarks.results import rliable
from metarl.benchmarks.results.load_results import load_results
from metarl.cli.command import Command
from metarl.training.run_dir import write_atomically, writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HTML, JSON, MARKDOWN, CSV, RLIABLE = "report.html", "report.json", "report.md", "report.csv", "rliable.npz"
DPI = 130


@dataclass(frozen=True)
class ReportOptions:
    """Write a report of the merged results of one or several folders."""

    folders: tyro.conf.Positional[tuple[str, ...]]
    """folders of `metarl benchmark`, of this machine or of others"""
    out: str | None = None
    """folder of the report; by default the first of the folders"""


def run(options: ReportOptions) -> None:
    """Write the report, and print its headline and its path."""
    console = Console(highlight=False, soft_wrap=True)
    print(write_report(options.folders, Path(options.out or options.folders[0]), console))


def write_report(folders: Sequence[str | Path], out: Path, console: Console) -> Path:
    """Write report.html, .json, .md, .csv, rliable.npz and figures/, and print the headline; returns the page's path.

    Raises MetarlError where results cannot be merged, such as those on different tasks.
    """
    results = load_results(folders)
    data = document(results)
    with writing(out, "give another --out"):
        folder = out / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        images = {name: (about, _save(folder / name, figure)) for name, about, figure in figures(data)}
        _text(out / JSON, json.dumps(data, indent=1, allow_nan=False) + "\n")
        _text(out / HTML, page(data, images))
        _text(out / MARKDOWN, markdown(data))
        _text(out / CSV, as_csv(data))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **rliable.matrices(results))
        write_atomically(out / RLIABLE, buffer.getvalue())
    _print(data, console)
    return out / HTML


def _save(path: Path, figure: Figure) -> bytes:
    """Write a figure as PNG and SVG files; returns the SVG."""
    import matplotlib

    figure.savefig(path.with_name(path.name + ".png"), dpi=DPI)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": path.name}):  # makes the file reproducible
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_atomically(path.with_name(path.name + ".svg"), buffer.getvalue())
    return buffer.getvalue()


def _text(path: Path, text: str) -> None:
    write_atomically(path, text.encode())


def _print(data: dict[str, Any], console: Console) -> None:
    for line in (*notices(data), *answers(data)):
        console.print(line, markup=False)
    for d in data["distributions"]:
        for line in verdicts(data, d):
            console.print(f"{d['name']}: {line}", markup=False)
    if data["headline"]:
        rows = tables.headline(data)
        table = RichTable(*rows.columns)
        for row in rows.rows:
            table.add_row(*row)
        console.print(table)


COMMAND = Command("report", ReportOptions, run, "merge the results of one or several folders, and write the report")
