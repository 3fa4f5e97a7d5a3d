"""docs/add_your_own.md: every file on the page is imported, stepped, trained on and evaluated."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

import metarl
from metarl.cli.main import main

PAGE = (Path(__file__).parents[1] / "docs" / "add_your_own.md").read_text()
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.S))
DISTRIBUTIONS = {
    "icy.py": "IcyCheetahVel", "slider.py": "SliderVel", "pace.py": "HopperPace", "rust.py": "RustyCheetah",
    "coin.py": "BiasedCoin",
}  # fmt: skip

SMALL = ["--num-envs=2", "--minibatches=1", "--threads=1", "--run-dir=run", "--evaluate-every=0", "--steps=100"]


def test_the_page_has_an_example_of_every_extension():
    assert FILES.keys() == DISTRIBUTIONS.keys()
    assert len(FILES["slider.py"].splitlines()) <= 32


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_page_runs(file, tmp_path, monkeypatch):
    """Import it, step its distribution through Gymnasium, train on it and evaluate the run."""
    (tmp_path / file).write_text(FILES[file])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = DISTRIBUTIONS[file]
    importlib.import_module(file.removesuffix(".py"))
    envs = gym.make_vec(f"metarl/{name}-v0", num_envs=3)
    envs.reset(seed=0)
    assert envs.step(envs.action_space.sample())[0].shape[0] == 3
    gym.make(f"metarl/{name}-v0").reset(seed=0)
    metarl.get(name).validate()
    assert main(["train", "rl2", f"{file}:{name}", *SMALL]) == 0
    assert main(["evaluate", "run", "--tasks", "2", "--replicates", "1"]) == 0
    assert main(["list", f"{file}:{name}"]) == 0
    assert (tmp_path / "run" / "adaptation.png").exists()


def test_metarl_show_prints_a_game_in_characters(tmp_path):
    """In a new process, which has not imported the file before."""
    (tmp_path / "coin.py").write_text(FILES["coin.py"])
    command = [sys.executable, "-m", "metarl", "show", "coin.py:BiasedCoin", "--tasks", "1"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert re.search(r"heads 0\.\d+\n(heads|tails)\n", result.stdout), result.stdout
