"""What the README says is what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from metarl.cli.listing import distribution_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ADD_YOUR_OWN = (ROOT / "docs" / "add_your_own.md").read_text()


def _python(filename: str, page: str) -> str:
    """The code block of a page that begins with `# filename`."""
    found = re.search(rf"```python\n# {re.escape(filename)}\n(.*?)```", page, re.S)
    assert found, f"there is no block of {filename}"
    return found[1]


def test_the_table_of_distributions_is_printed_from_the_code():
    assert distribution_markdown() in README


def test_every_picture_and_link_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (Path(__file__).parents[1] / target).exists(), target


def test_the_distribution_of_ones_own_is_that_of_the_page():
    """docs/add_your_own.md, which a test runs, begins with the same file."""
    block = re.search(r"```python\n# icy.py\n.*?```", README, re.S)
    assert block
    assert block[0] in ADD_YOUR_OWN


def test_an_agent_and_a_suite_of_ones_own(tmp_path):
    """A stranger's agent on a stranger's distribution, from the README's blocks to the report."""
    (tmp_path / "slider.py").write_text(_python("slider.py", ADD_YOUR_OWN))
    (tmp_path / "lucky.py").write_text(_python("lucky.py", README))
    suite = re.search(r"```json\n(.*?)```", README, re.S)
    assert suite
    (tmp_path / "sliders.json").write_text(suite[1].replace("40000", "1"))  # one update
    assert "metarl benchmark sliders.json --agents rl2 lucky.py:LUCKY" in README
    command = [sys.executable, "-c", "import sys; from metarl.cli.main import main; sys.exit(main(sys.argv[1:]))"]
    arguments = [
        "benchmark",
        "sliders.json",
        "--agents",
        "lucky.py:LUCKY",
        "--out",
        "out",
        "--processes",
        "1",
    ]  # rl2 takes long
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert not report["failures"]
    lucky = report["distributions"][0]["entrants"]["lucky"]["panels"]["test"]
    assert lucky["returns"][-1] > lucky["returns"][0]  # it adapts
