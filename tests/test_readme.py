"""What the README says is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from metarl.cli.listing import distribution_markdown

README = (Path(__file__).parents[1] / "README.md").read_text()


def _python(filename: str) -> str:
    """The code block that begins with `# filename`."""
    found = re.search(rf"```python\n# {re.escape(filename)}\n(.*?)```", README, re.S)
    assert found, f"the README has no block of {filename}"
    return found[1]


def test_the_table_of_distributions_is_printed_from_the_code():
    assert distribution_markdown() in README


def test_every_picture_and_link_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (Path(__file__).parents[1] / target).exists(), target


def test_a_distribution_and_a_robot_of_ones_own(tmp_path):
    """Both blocks, as files named on the command line and in Gymnasium, in a process of their own."""
    (tmp_path / "icy.py").write_text(_python("icy.py"))
    (tmp_path / "slider.py").write_text(_python("slider.py"))
    check = (
        "import sys; sys.path.insert(0, '.')\n"
        "import gymnasium as gym, icy, slider\n"
        "from metarl.cli import main\n"
        "for name in ('IcyCheetahVel', 'SliderVel'):\n"
        "    envs = gym.make_vec(f'metarl/{name}-v0', num_envs=3)\n"
        "    envs.reset(seed=0)\n"
        "    assert envs.step(envs.action_space.sample())[0].shape[0] == 3\n"
        "    gym.make(f'metarl/{name}-v0').reset(seed=0)\n"
        "small = ['--num-envs', '2', '--minibatches', '1', '--threads', '1', '--run-dir', 'run']\n"
        "assert main(['train', 'rl2', 'slider.py:SliderVel', '--steps', '100', *small]) == 0\n"
        "assert main(['evaluate', 'run', '--tasks', '2', '--replicates', '1']) == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "adaptation.png").exists()
