"""An installed wheel denoises, simulates and lists models with its requirements alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import SimpleITK as sitk
from bare_packages import bare_paths
from pseudoct_research.commands import COMMANDS as RESEARCH_COMMANDS
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT

LIBRARY = "PseudoCTDenoiseLib"
PRODUCT_COMMANDS = ["cohort", "denoise", "listen", "models", "repeat", "route", "simulate"]
NOT_IN_THE_CHECKOUT = (".*", "__pycache__", "*.egg-info", "build", "demo", "local")
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program without the settings that could show it this checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment |= {"PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8"
    )


def succeed(*command: str | Path, cwd: Path) -> str:
    """Run a program that must succeed, and return its standard output."""
    ended = run(*command, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def sources(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, because a build writes into its source folder."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools builds the wheel")
    copy = tmp_path_factory.mktemp("sources") / "checkout"
    shutil.copytree(repository, copy, ignore=shutil.ignore_patterns(*NOT_IN_THE_CHECKOUT))
    return copy


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    succeed(sys.executable, "-m", "pip", "wheel", *options, sources, cwd=folder)
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture(scope="module")
def source_archive(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    succeed(sys.executable, "-c", BUILD_SDIST, folder, cwd=sources)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a virtual environment with the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("environment")
    venv.EnvBuilder(symlinks=os.name != "nt").create(folder / "venv")
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    options = ["--no-deps", "--no-index", "--no-compile"]
    pip = [sys.executable, "-m", "pip", "--python", programs / "python"]
    succeed(*pip, "install", *options, wheel, cwd=folder)

    packages = folder / "packages"
    packages.mkdir()
    for path in bare_paths():
        (packages / path.name).symlink_to(path)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = succeed(programs / "python", "-c", where, cwd=folder).strip()
    (Path(site_packages) / "bare_packages.pth").write_text(f"{packages}\n", encoding="utf-8")
    return programs


@pytest.fixture
def empty_folder(tmp_path: Path) -> Path:
    """A working folder with spaces and accents in its name."""
    folder = tmp_path / "dossier été vide"
    folder.mkdir()
    return folder


@pytest.fixture
def pseudoct(environment: Path, empty_folder: Path) -> Callable[..., str]:
    """Runs the installed command in the empty folder, and returns its standard output."""

    def command(*arguments: str) -> str:
        return succeed(environment / "pseudoct", *arguments, cwd=empty_folder)

    return command


def library_files(repository: Path) -> set[str]:
    return {
        path.relative_to(repository / "PseudoCTDenoise").as_posix()
        for path in (repository / "PseudoCTDenoise" / LIBRARY).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }


def weights_files(repository: Path) -> set[str]:
    return {name for name in library_files(repository) if "/models/weights/" in name}


def check_metadata(metadata: Message) -> None:
    """Check name, version, licence, description and requirements."""
    assert (metadata["Name"], metadata["Version"]) == ("pseudoctdenoise", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE.txt"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# ")
    required = [text for text in metadata.get_all("Requires-Dist") if "extra ==" not in text]
    assert sorted(required) == ["SimpleITK", "numpy", "pydicom>=3", "torch>=2.6", "tqdm"]


def test_the_wheel_holds_the_library_and_nothing_else(wheel: Path, repository: Path):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == library_files(repository)
    assert len(weights_files(repository)) >= 16


def test_the_wheel_carries_licence_readme_and_one_program(wheel: Path, repository: Path):
    with ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        texts = {
            name: archive.read(f"{info}/{name}").decode("utf-8")
            for name in ("METADATA", "licenses/LICENSE.txt", "entry_points.txt")
        }
    metadata = Parser().parsestr(texts["METADATA"])
    check_metadata(metadata)
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert metadata.get_payload().strip() == readme.strip()
    licence = (repository / "LICENSE.txt").read_text(encoding="utf-8")
    assert texts["licenses/LICENSE.txt"] == licence
    program = f"pseudoct = {LIBRARY}.cli.main:main"
    assert texts["entry_points.txt"].split("\n") == ["[console_scripts]", program, ""]


def test_the_source_archive_builds_the_same_product(source_archive: Path, repository: Path):
    with tarfile.open(source_archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        (top,) = {name.partition("/")[0] for name in archive.getnames()}
        metadata = archive.extractfile(f"{top}/PKG-INFO").read().decode("utf-8")
    check_metadata(Parser().parsestr(metadata))
    assert {"LICENSE.txt", "README.md", "pyproject.toml"} <= names
    assert {f"PseudoCTDenoise/{name}" for name in library_files(repository)} <= names
    assert not [name for name in names if name.startswith(("Research", "Testing"))]


def test_the_environment_holds_no_optional_package(environment: Path, empty_folder: Path):
    absent = ["matplotlib", "microct_iq_toolbox", "pseudoct_research", "scipy", "skimage", "tqdm"]
    look = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))"
    found = succeed(environment / "python", "-c", look, *absent, LIBRARY, cwd=empty_folder)
    assert found.split() == [LIBRARY]


@pytest.mark.slow
def test_the_commands_run_in_any_folder(pseudoct: Callable[..., str], empty_folder: Path):
    hu = np.full((3, 64, 64), -1000.0)
    hu[:, 12:-12, 12:-12] = 50
    hu += np.random.default_rng(0).normal(0, 20, hu.shape)
    scan = sitk.GetImageFromArray(np.rint(hu).clip(-1024).astype(np.int16))
    scan.SetSpacing((0.7, 0.7, 3.0))
    sitk.WriteImage(scan, str(empty_folder / "scan é.nrrd"))

    pseudoct("simulate", "scan é.nrrd", "low dose.nrrd", "--device", "cpu")
    pseudoct("denoise", "low dose.nrrd", "denoised.nrrd", "--device", "cpu", "--steps", "2")

    low_dose, denoised = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(empty_folder / name)))
        for name in ("low dose.nrrd", "denoised.nrrd")
    )
    tissue = np.s_[:, 20:-20, 20:-20]
    assert denoised[tissue].std() < 0.9 * low_dose[tissue].std()
    names = {path.name for path in empty_folder.iterdir()}
    assert names == {"scan é.nrrd", "low dose.nrrd", "denoised.nrrd", "denoised.json"}


def test_every_shipped_model_is_whole(pseudoct: Callable[..., str], repository: Path):
    listed = pseudoct("models", "--check")
    models = [name for name in weights_files(repository) if name.endswith(".npz")]
    assert listed.count(" M, intact |") == len(models) >= 8


def test_only_the_product_commands_are_offered(
    pseudoct: Callable[..., str], environment: Path, empty_folder: Path
):
    commands = [line.split()[0] for line in pseudoct("--help").splitlines() if line.split()]
    assert [name for name in commands if name in PRODUCT_COMMANDS] == PRODUCT_COMMANDS
    assert len(RESEARCH_COMMANDS) > 5
    assert not RESEARCH_COMMANDS.keys() & set(commands)
    ended = run(environment / "pseudoct", "pretrain", "--help", cwd=empty_folder)
    assert ended.returncode == BAD_INPUT
    assert "Unknown command 'pretrain'" in ended.stderr
