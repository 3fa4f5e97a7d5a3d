"""The order of the folders of benchmarks: each imports only from those before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import metarl.benchmarks

ORDER = ("suites", "job", "results", "report", "commands")
ROOT = Path(metarl.benchmarks.__file__).parent


def imports(folder: str) -> set[str]:
    """Return the modules of metarl that a folder imports."""
    text = "\n".join(path.read_text() for path in (ROOT / folder).glob("*.py"))
    return set(re.findall(r"^\s*(?:from|import) (metarl[\w.]*)", text, re.MULTILINE))


@pytest.mark.parametrize("folder", ORDER)
def test_folder_imports_no_later_folder(folder: str) -> None:
    later = {f"metarl.benchmarks.{name}" for name in ORDER[ORDER.index(folder) + 1 :]}
    assert not [module for module in imports(folder) if module.startswith(tuple(later))]


def test_statistics_import_nothing_else_of_metarl() -> None:
    others = [m for m in imports("statistics") if not m.startswith(("metarl.benchmarks.statistics", "metarl.errors"))]
    assert not others
