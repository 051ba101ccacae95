"""Slicer can configure the extension, and what it installs is the whole module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FAKE_SLICER = Path(__file__).parent / "FakeSlicer"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def write_lists(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, repository / "Development/write_cmake_lists.py", *arguments)


@pytest.fixture(scope="module")
def build(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension, configured against the stand-in for Slicer and installed."""
    needed = [repository / "README.md", repository / "PseudoCTDenoise/PseudoCTDenoise.py"]
    missing = [path.name for path in needed if not path.exists()]
    if missing:
        pytest.skip(f"not written yet: {', '.join(missing)}")
    cmake = shutil.which("cmake", path=Path(sys.executable).parent) or shutil.which("cmake")
    if cmake is None:
        pytest.skip("no cmake on this machine; `make` installs it")
    if not any(map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++", "cl"])):
        pytest.skip("no C++ compiler on this machine, and project() looks for one")

    build = tmp_path_factory.mktemp("build with a space")
    configured = run(cmake, "-S", repository, "-B", build, f"-DSlicer_DIR={FAKE_SLICER}")
    assert configured.returncode == 0, configured.stdout + configured.stderr
    installed = run(cmake, "--install", build, "--prefix", build / "installed")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return build


def test_the_package_carries_our_own_licence_and_readme(build: Path, repository: Path):
    name, licence, readme = (build / "package.txt").read_text(encoding="utf-8").splitlines()
    assert name == "PseudoCTDenoise"
    assert Path(licence) == repository / "LICENSE.txt"
    assert Path(readme) == repository / "README.md"


def test_the_installed_module_is_the_whole_module(build: Path, repository: Path):
    def files(folder: Path) -> set[str]:
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
        }

    source = {
        name
        for name in files(repository / "PseudoCTDenoise")
        if name.startswith(("PseudoCTDenoise.py", "PseudoCTDenoiseLib/", "Resources/"))
    }
    assert files(build / "installed/qt-scripted-modules") == source


def test_cmake_lists_name_every_file_of_the_module(repository: Path):
    result = write_lists(repository, "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_file_that_is_not_listed_is_noticed_and_then_listed(repository: Path, tmp_path: Path):
    module = tmp_path / "Some Module"
    (module / "Some ModuleLib/engine").mkdir(parents=True)
    (module / "Resources/UI").mkdir(parents=True)
    for name in ["Some ModuleLib/engine/noise.py", "Resources/UI/panel.ui", "Resources/.hidden"]:
        (module / name).touch()
    cmake = module / "CMakeLists.txt"
    cmake.write_text(
        "set(MODULE_PYTHON_SCRIPTS\n  gone.py\n  )\nset(MODULE_PYTHON_RESOURCES\n  )\nkept()\n"
    )

    checked = write_lists(repository, "--check", module)
    assert checked.returncode == 1
    assert "run make cmake-lists" in checked.stdout
    assert "gone.py" in checked.stdout

    assert write_lists(repository, module).returncode == 0
    assert cmake.read_text() == (
        "set(MODULE_PYTHON_SCRIPTS\n  Some ModuleLib/engine/noise.py\n  )\n"
        "set(MODULE_PYTHON_RESOURCES\n  Resources/UI/panel.ui\n  )\nkept()\n"
    )
    assert write_lists(repository, "--check", module).returncode == 0
