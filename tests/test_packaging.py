"""The four top-level folders make one package: installed, linked and imported as `metarl.*` only."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import metarl

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("envs", "agents", "benchmarks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def installed_name(path: Path) -> Path:
    """Where a file of the checkout lies when installed: envs/x.py is metarl/envs/x.py."""
    relative = path.relative_to(ROOT)
    return relative if relative.parts[0] == "metarl" else Path("metarl") / relative


def package_files() -> Iterator[Path]:
    """Everything in the four folders that a wheel must hold, each once."""
    for folder in ("metarl", *ROOMS):
        for directory, subdirectories, files in os.walk(ROOT / folder):  # follows no link
            subdirectories[:] = [name for name in subdirectories if name != "__pycache__"]
            yield from (Path(directory, name) for name in files if not name.endswith(".pyc"))


def test_every_package_is_listed():
    found = {".".join(installed_name(path).parent.parts) for path in package_files() if path.name == "__init__.py"}
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)


def test_every_module_lies_in_a_package():
    homes = {path.parent for path in package_files() if path.suffix == ".py"}
    assert sorted(home for home in homes if not (home / "__init__.py").exists()) == []


@pytest.mark.parametrize("room", ROOMS)
def test_links_are_relative_and_resolve(room):
    link = ROOT / "metarl" / room
    assert link.is_symlink()
    assert os.readlink(link) == f"../{room}"
    assert link.resolve() == ROOT / room
    assert SETUPTOOLS["package-dir"][f"metarl.{room}"] == room


def test_a_script_beside_a_folder_named_metarl_imports_the_package(tmp_path):
    """As beside a clone: the folder has no __init__.py of its own, and a namespace package must not be made of it."""
    (tmp_path / "metarl" / "metarl").mkdir(parents=True)
    script = tmp_path / "use.py"
    script.write_text("import metarl; print(metarl.get('GridNavi').name, metarl.__file__)")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True, capture_output=True, text=True)
    name, file = done.stdout.split()
    assert name == "GridNavi"
    assert Path(file).parent == Path(metarl.__file__).parent


def test_no_module_imports_itself_through_others():
    """Import circles, those of `if TYPE_CHECKING` included."""
    modules = {}
    for path in package_files():
        if path.suffix == ".py":
            parts = installed_name(path).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph = {}
    for name, path in modules.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                below = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {x if x in modules else node.module for x in below}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        graph[name] = (found & modules.keys()) - {name}
    TopologicalSorter(graph).prepare()  # raises CycleError, which lists the circle


def bare_imports(source: str) -> list[str]:
    """The imports that name a room without `metarl.`, or name it by dots from inside."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in ROOMS]
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in ROOMS):
            found.append("." * node.level + (node.module or ""))
    return found


def test_no_bare_import():
    sources = [path for path in (*package_files(), *(ROOT / "tests").rglob("*.py")) if path.suffix == ".py"]
    assert sources
    bare = {str(path.relative_to(ROOT)): bare_imports(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: names for path, names in bare.items() if names} == {}


def test_bare_imports_are_seen():
    source = (
        "import envs\nimport agents.x as y\nfrom benchmarks import z\nfrom . import w\nimport metarl.envs\nimport envsx"
    )
    assert bare_imports(source) == ["envs", "agents.x", "benchmarks", "."]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from an sdist built from a copy of the checkout, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("build") / "metarl"
    copy.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    for folder in ("metarl", *ROOMS):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", str(copy)], check=True, capture_output=True)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_every_file_once_under_metarl(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(held) == sorted(installed_name(path).as_posix() for path in package_files())


@pytest.mark.slow
def test_installed_wheel_imports_every_package(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    # The dependencies of this environment come after, without its own editable metarl: a path file is not read twice.
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(here))

    # A stranger's folders of the same names beside him must not matter.
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise ImportError('the wrong package')")
    lines = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    command = [str(python), "-c", lines, *SETUPTOOLS["packages"]]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    expected = [site.joinpath(*name.split("."), "__init__.py") for name in SETUPTOOLS["packages"]]
    assert done.stdout.split() == [str(path) for path in expected]
