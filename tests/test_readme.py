"""What the README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from metarl.cli.listing import distribution_markdown

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_table_of_distributions_is_printed_from_the_code():
    assert distribution_markdown() in README


def test_every_picture_and_link_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (Path(__file__).parents[1] / target).exists(), target


def test_the_distribution_of_ones_own_is_that_of_the_page():
    """docs/add_your_own.md, which a test runs, begins with the same file."""
    page = (Path(__file__).parents[1] / "docs" / "add_your_own.md").read_text()
    block = re.search(r"```python\n# icy.py\n.*?```", README, re.S)
    assert block
    assert block[0] in page
