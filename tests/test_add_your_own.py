"""docs/add_your_own.md: every file on the page is imported, stepped, trained on and evaluated."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "add_your_own.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.S))
DISTRIBUTIONS = {
    "icy.py": "IcyCheetahVel", "slider.py": "SliderVel", "pace.py": "HopperPace", "rust.py": "RustyCheetah",
    "coin.py": "BiasedCoin",
}  # fmt: skip

USE = """
import sys
sys.path.insert(0, ".")
import gymnasium as gym
import {module}
import metarl
from metarl.cli.main import main

envs = gym.make_vec("metarl/{name}-v0", num_envs=3)
envs.reset(seed=0)
assert envs.step(envs.action_space.sample())[0].shape[0] == 3
gym.make("metarl/{name}-v0").reset(seed=0)
metarl.get("{name}").validate()
small = ["--num-envs", "2", "--minibatches", "1", "--threads", "1", "--run-dir", "run", "--evaluate-every", "0"]
assert main(["train", "rl2", "{module}.py:{name}", "--steps", "100", *small]) == 0
assert main(["evaluate", "run", "--tasks", "2", "--replicates", "1"]) == 0
assert main(["list", "{module}.py:{name}"]) == 0
"""


def test_the_page_has_an_example_of_every_extension():
    assert FILES.keys() == DISTRIBUTIONS.keys()
    assert len(FILES["slider.py"].splitlines()) <= 32


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_page_runs(file, tmp_path):
    """Run it in a new process."""
    (tmp_path / file).write_text(FILES[file])
    code = USE.format(module=file.removesuffix(".py"), name=DISTRIBUTIONS[file])
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "adaptation.png").exists()


def test_metarl_show_prints_a_game_in_characters(tmp_path):
    (tmp_path / "coin.py").write_text(FILES["coin.py"])
    code = "from metarl.cli.main import main; raise SystemExit(main(['show', 'coin.py:BiasedCoin', '--tasks', '1']))"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(r"heads 0\.\d+\n(heads|tails)\n", result.stdout), result.stdout
