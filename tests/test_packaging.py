"""The four top-level folders form one package, which is installed, linked and imported only as `metarl.*`."""

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
LINKED = ("envs", "agents", "benchmarks")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def installed_name(path: Path) -> Path:
    """Return the installed path of a file of the checkout, such as metarl/envs/x.py for envs/x.py."""
    relative = path.relative_to(ROOT)
    return relative if relative.parts[0] == "metarl" else Path("metarl") / relative


def package_files() -> Iterator[Path]:
    """Yield each file of the four folders that a wheel must contain."""
    for folder in ("metarl", *LINKED):
        for directory, subdirectories, files in os.walk(ROOT / folder):  # does not follow links
            subdirectories[:] = [name for name in subdirectories if name != "__pycache__"]
            yield from (Path(directory, name) for name in files if not name.endswith(".pyc"))


def test_every_package_is_listed():
    packages = {".".join(installed_name(path).parent.parts) for path in package_files() if path.name == "__init__.py"}
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages)


def test_every_module_is_in_a_package():
    folders = {path.parent for path in package_files() if path.suffix == ".py"}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").exists()) == []


@pytest.mark.parametrize("folder", LINKED)
def test_links_are_relative_and_resolve(folder):
    link = ROOT / "metarl" / folder
    assert link.is_symlink()
    assert os.readlink(link) == f"../{folder}"
    assert link.resolve() == ROOT / folder
    assert SETUPTOOLS["package-dir"][f"metarl.{folder}"] == folder


def test_script_beside_a_folder_named_metarl_imports_the_package(tmp_path):
    """A clone has no __init__.py in its top folder, and must not be imported as a namespace package."""
    (tmp_path / "metarl" / "metarl").mkdir(parents=True)
    script = tmp_path / "use.py"
    script.write_text("import metarl; print(metarl.get('GridNavi').name, metarl.__file__)")
    result = subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True, capture_output=True, text=True)
    name, file = result.stdout.split()
    assert name == "GridNavi"
    assert Path(file).parent == Path(metarl.__file__).parent


def test_there_are_no_import_cycles():
    """Imports within `if TYPE_CHECKING` are included."""
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
    TopologicalSorter(graph).prepare()  # raises CycleError, which lists the cycle


def bare_imports(source: str) -> list[str]:
    """Return imports of a linked folder without `metarl.`, and relative imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in LINKED]
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] in LINKED):
            found.append("." * node.level + (node.module or ""))
    return found


def test_there_are_no_bare_imports():
    sources = [path for path in (*package_files(), *(ROOT / "tests").rglob("*.py")) if path.suffix == ".py"]
    assert sources
    bare = {str(path.relative_to(ROOT)): bare_imports(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: names for path, names in bare.items() if names} == {}


def test_bare_imports_are_found():
    source = (
        "import envs\nimport agents.x as y\nfrom benchmarks import z\nfrom . import w\nimport metarl.envs\nimport envsx"
    )
    assert bare_imports(source) == ["envs", "agents.x", "benchmarks", "."]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build a wheel from an sdist of a copy of the checkout, so that no files are left in the checkout."""
    copy = tmp_path_factory.mktemp("build") / "metarl"
    copy.mkdir()
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    for folder in ("metarl", *LINKED):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", str(copy)], check=True, capture_output=True)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_contains_every_file_once_under_metarl(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted(installed_name(path).as_posix() for path in package_files())


@pytest.mark.slow
def test_installed_wheel_imports_every_package(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    # The dependencies of this environment come last, without its editable metarl: Python reads no .pth files in them.
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(here))

    # Other folders of the same names in the working directory must have no effect.
    for folder in LINKED:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise ImportError('the wrong package')")
    lines = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    command = [str(python), "-c", lines, *SETUPTOOLS["packages"]]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    expected = [site.joinpath(*name.split("."), "__init__.py") for name in SETUPTOOLS["packages"]]
    assert result.stdout.split() == [str(path) for path in expected]
