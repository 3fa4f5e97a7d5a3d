"""Claims of the README and the documentation, checked against the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metarl import registry
from metarl.cli.listing import distribution_markdown

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
README, ADD_YOUR_OWN, BENCHMARK, AGENTS = (
    (ROOT / name).read_text() for name in ("README.md", "docs/add_your_own.md", "docs/benchmark.md", "docs/agents.md")
)


def _python(filename: str, page: str) -> str:
    """The code block of a page that begins with `# filename`."""
    found = re.search(rf"```python\n# {re.escape(filename)}\n(.*?)```", page, re.S)
    assert found, f"there is no block of {filename}"
    return found[1]


def test_the_readme_has_150_lines_at_most():
    assert len(README.splitlines()) <= 150


def test_the_table_of_distributions_equals_the_printed_one():
    assert distribution_markdown() in (ROOT / "docs/distributions.md").read_text()


def test_the_page_of_agents_names_every_agent():
    assert [name for name in registry.names("agent") if f"`{name}`" not in AGENTS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_and_link_exists(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_install_hints_do_not_name_the_package_of_another_project():
    """`metarl` on PyPI is not this package."""
    sources = [path for top in ("metarl", "envs", "agents", "benchmarks") for path in (ROOT / top).rglob("*.py")]
    for path in [*PAGES, *sources, ROOT / "pyproject.toml", ROOT / "CHANGELOG.md"]:
        assert not re.search(r"pip install '?\"?metarl\b", path.read_text()), path


def test_the_six_line_distribution_is_that_of_add_your_own():
    """docs/add_your_own.md, which a test runs, begins with the same file."""
    assert _python("icy.py", README) == _python("icy.py", ADD_YOUR_OWN)


def test_a_method_and_a_suite_of_ones_own_run_to_the_report(tmp_path):
    (tmp_path / "slider.py").write_text(_python("slider.py", ADD_YOUR_OWN))
    (tmp_path / "lucky.py").write_text(_python("lucky.py", BENCHMARK))
    suite = re.search(r"```json\n(.*?)```", BENCHMARK, re.S)
    assert suite
    (tmp_path / "sliders.json").write_text(suite[1].replace("40000", "1"))  # one update
    assert "metarl benchmark sliders.json --agents rl2 lucky.py:LUCKY" in BENCHMARK
    command = [sys.executable, "-m", "metarl", "benchmark", "sliders.json", "--out", "out", "--processes", "1"]
    arguments = ["--agents", "lucky.py:LUCKY"]  # rl2 takes long
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert not report["failures"]
    lucky = report["distributions"][0]["methods"]["lucky"]["eval_sets"]["test"]
    assert lucky["returns"][-1] > lucky["returns"][0]  # it adapts
