"""Retired words: code, help and documentation use one word for one thing (docs/architecture.md, Words)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("metarl", "envs", "agents", "benchmarks", "tests", "docs")
SUFFIXES = {".py", ".pyi", ".c", ".md", ".json", ".toml", ".css"}
# Outputs and logs of earlier versions, and the list of renames.
EXCLUDED = ("docs/results/", "CHANGELOG.md", "tests/test_wording.py", "benchmarks/suites/tasks/")

RETIRED = {  # regular expression, ignoring case -> the word in use, and files where the word has another meaning
    r"laws?": ("sampler, or action distribution", ()),
    r"faces?": ("environment, or Gymnasium API", ("envs/games/alchemy/chemistry.py",)),
    r"lanes?": (
        "environment index",
        (
            "freeway.py",
            "catalogue/arcade.py",
            "docs/distributions.md",
            "agents/networks/gru_loops.c",
            "agents/networks/gru.py",
        ),
    ),
    r"lives?|lived|living": ("roll out, evaluate, trial, steps", ("metarl/training/progress.py",)),  # rich.live
    r"lifetimes?": ("trial, or evaluation", ()),
    r"react(s|ed)?": ("act", ()),
    r"companions?": ("launched processes", ()),
    r"heed(s|ed)?": ("use", ()),
    r"entrants?": ("method", ()),
    r"panels?": ("eval set", ()),
    r"lived_by": ("changeable_settings", ()),
    r"as_one|settle[sd]?": ("GraphedCallable, bind", ()),
    r"outer_steps": ("outer_epochs", ()),
    r"lam": ("gae_lambda", ()),
    r"nobody|everybody|everyone|somebody|whoever": ("the name of the subject", ()),
    r"strangers?|heirs?": ("user, third-party", ()),
    r"anew": ("again, new", ()),
    r"seen\.(now|before)|class Seen": ("PolicyInput", ()),
    r"class (Held|Repeated|Rates|Phase|Share|Law|Family|Counted)": ("the names of today", ()),
}


def lines() -> list[tuple[str, int, str]]:
    """Return (path, line number, line) of all checked files."""
    top = [ROOT / name for name in ("README.md", "pyproject.toml", "Makefile")]
    below = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES]
    files = [path for path in top + below if not str(path.relative_to(ROOT)).startswith(EXCLUDED)]
    return [
        (str(path.relative_to(ROOT)), number, line)
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


LINES = lines()
CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # parts of names count as words, as in `_capture_anew` or `TaskLaw`


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_retired_word_is_not_used(pattern: str) -> None:
    use, elsewhere = RETIRED[pattern]
    word = re.compile(rf"(?<![A-Za-z0-9])({pattern})(?![A-Za-z0-9])", re.IGNORECASE)
    found = [
        f"{path}:{i}: {line}"
        for path, i, line in LINES
        if word.search(CAMEL_CASE.sub("_", line)) and not path.endswith(elsewhere)
    ]
    assert not found, f"use {use}"


def test_all_folders_are_read() -> None:
    assert {path.split("/")[0] for path, _, _ in LINES} >= {*FOLDERS, "README.md"}
