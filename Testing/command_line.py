"""Fixtures for tests of commands: a tiny scan, tiny models and calls of `pseudoct`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PseudoCTDenoiseLib.cli import main as entry
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.models.store import Manifest, save_model

SPACING, ORIGIN = (0.71, 0.715, 2.5), (-17.25, 31.5, -402.125)
DIRECTION = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


class Ended(NamedTuple):
    """Exit code and printed text of a command."""

    code: int
    out: str
    err: str


def save_tiny_models(folder: Path, first_seed: int = 0) -> None:
    """Save the denoisers `fast` and `other` and two noise models, all tiny."""
    for seed, (name, role) in enumerate(
        [
            ("fast", DENOISER),
            ("other", DENOISER),
            ("noise-a", NOISE_MODEL),
            ("noise-b", NOISE_MODEL),
        ]
    ):
        parameters = {"widths": [4, 8], "residual": role == DENOISER}
        torch.manual_seed(first_seed + seed)
        network = build_network("UNet", parameters)
        training = {"scans": [{"patient": "one"}]}
        manifest = Manifest(
            name, role, "UNet", parameters, 7, training, {"gain_soft_db": 1.25} if seed else {}
        )
        save_model(network, manifest, folder)


@pytest.fixture
def pseudoct(capfd) -> Callable[..., Ended]:
    """Function that runs a command in this process and captures all output, also of C libraries."""

    def run(*arguments: str | os.PathLike) -> Ended:
        capfd.readouterr()
        code = entry.main([os.fspath(argument) for argument in arguments])
        return Ended(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """Folder with the models of :func:`save_tiny_models`."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_models(folder)
    return folder


@pytest.fixture(scope="session")
def hu() -> np.ndarray:
    """HU of three slices of 48×64 pixels: soft tissue in air with low-dose noise."""
    rng = np.random.default_rng(0)
    clean = np.full((3, 48, 64), -1000.0)
    clean[:, 8:-8, 8:-8] = 50
    return np.rint(clean + rng.normal(0, 20, clean.shape)).clip(-1024).astype(np.int16)


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """Function that writes an array as a volume with non-trivial spacing and origin."""

    def write(path: Path, values: np.ndarray, *, vector: bool = False, direction=DIRECTION) -> Path:
        image = sitk.GetImageFromArray(values, isVector=vector)
        if image.GetDimension() == 3:
            image.SetSpacing(SPACING)
            image.SetOrigin(ORIGIN)
            image.SetDirection(direction)
        sitk.WriteImage(image, str(path), useCompression=True)
        return path

    return write


@pytest.fixture
def scan(tmp_path, write, hu) -> Path:
    """File of the scan in an empty folder."""
    return write(tmp_path / "scan.nrrd", hu)


@pytest.fixture
def quick(models) -> list[str]:
    """Arguments for the shortest possible run."""
    return ["--models", os.fspath(models), "--device", "cpu", "--steps", "2"]


@pytest.fixture
def untuned(quick) -> list[str]:
    """Arguments for a run without fine-tuning, for tests of what is read and written."""
    return [*quick, "--method", "pretrained"]


@pytest.fixture(scope="session")
def listing() -> Callable[[Path], dict[str, bytes]]:
    """Function that returns all files of a folder, also hidden ones, with their content."""

    def listing(folder: Path) -> dict[str, bytes]:
        found: Iterable[Path] = sorted(folder.rglob("*"))
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"folder"
            for path in found
        }

    return listing


@pytest.fixture(scope="session")
def program(repository) -> list[str]:
    """Start of a command line that runs `pseudoct` in a separate process."""
    folders = [str(repository / name) for name in ("PseudoCTDenoise", "Research")]
    path = f"import sys; sys.path[:0] = {folders}"
    start = "from PseudoCTDenoiseLib.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", f"{path}; {start}"]
