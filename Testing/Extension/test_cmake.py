"""Slicer can configure the extension, and installs the whole product and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.models.catalog import SHIPPED_MODELS
from PseudoCTDenoiseLib.models.store import list_models

FAKE_SLICER = Path(__file__).parent / "FakeSlicer"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program and return its exit code and output."""
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


def write_lists(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script that writes the lists of CMakeLists.txt."""
    return run(sys.executable, repository / "Development/write_cmake_lists.py", *arguments)


@pytest.fixture(scope="module")
def build(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build folder of the extension, configured for the stand-in for Slicer and installed."""
    cmake = shutil.which("cmake", path=Path(sys.executable).parent) or shutil.which("cmake")
    if cmake is None:
        pytest.skip("CMake is missing; `make` installs it")
    if not any(map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++", "cl"])):
        pytest.skip("A C++ compiler is missing; CMake's project() needs one")

    build = tmp_path_factory.mktemp("build with a space")
    configured = run(cmake, "-S", repository, "-B", build, f"-DSlicer_DIR={FAKE_SLICER}")
    assert configured.returncode == 0, configured.stdout + configured.stderr
    installed = run(cmake, "--install", build, "--prefix", build / "installed")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return build


@pytest.fixture(scope="module")
def installed(build: Path) -> set[str]:
    """The installed files, relative to Slicer's folder of scripted modules."""
    names = files(build / "installed")
    folder = "qt-scripted-modules/"
    assert all(name.startswith(folder) for name in names)
    return {name.removeprefix(folder) for name in names}


def files(folder: Path) -> set[str]:
    """Return the relative paths of all files in a folder, without hidden and compiled files."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }


def test_the_package_carries_our_own_licence_and_readme(build: Path, repository: Path):
    name, licence, readme = (build / "package.txt").read_text(encoding="utf-8").splitlines()
    assert name == "PseudoCTDenoise"
    assert Path(licence) == repository / "LICENSE.txt"
    assert Path(readme) == repository / "README.md"


def test_the_whole_module_is_installed(installed: set[str], repository: Path):
    parts = (
        *("PseudoCTDenoise.py", "DICOMPseudoCTDenoisePlugin.py"),
        *("PseudoCTDenoiseLib/", "Resources/"),
    )
    source = {name for name in files(repository / "PseudoCTDenoise") if name.startswith(parts)}
    assert installed == source


def test_every_library_file_and_every_weights_file_is_installed(
    installed: set[str], repository: Path
):
    library = repository / "PseudoCTDenoise/PseudoCTDenoiseLib"
    modules = {path.relative_to(library.parent).as_posix() for path in library.rglob("*.py")}
    models = {manifest.name for manifest in list_models(SHIPPED_MODELS)}
    weights = {path.name for path in SHIPPED_MODELS.iterdir()}
    folder = SHIPPED_MODELS.relative_to(library.parent).as_posix()
    assert len(modules) > 60
    assert len(weights) == 2 * len(models) >= 16
    assert modules <= installed
    assert {f"{folder}/{name}" for name in weights} <= installed


def test_no_research_or_test_file_is_installed(installed: set[str], repository: Path):
    def distinctive_names(folder: Path) -> set[str]:
        return {Path(name).name for name in files(folder) if not name.endswith("__init__.py")}

    library = {Path(name).name for name in files(repository / "PseudoCTDenoise")}
    foreign = distinctive_names(repository / "Research") | distinctive_names(repository / "Testing")
    assert len(foreign - library) > 100
    assert not {Path(name).name for name in installed} & (foreign - library)
    assert not [name for name in installed if "research" in name.lower() or "test" in name.lower()]


def test_cmake_lists_name_every_file_of_the_module(repository: Path):
    result = write_lists(repository, "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_file_that_is_not_listed_is_reported_and_then_listed(repository: Path, tmp_path: Path):
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
    assert cmake.read_text("utf-8") == (
        "set(MODULE_PYTHON_SCRIPTS\n  Some ModuleLib/engine/noise.py\n  )\n"
        "set(MODULE_PYTHON_RESOURCES\n  Resources/UI/panel.ui\n  )\nkept()\n"
    )
    assert write_lists(repository, "--check", module).returncode == 0
