"""Denoising needs no package besides torch, numpy, SimpleITK, pydicom and their requirements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bare_packages import bare_packages

# Runs before each script. It hides every installed package except our library and the packages
# that the arguments name.
BARE_ENVIRONMENT = """
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
allowed = {"PseudoCTDenoiseLib", *sys.stdlib_module_names, *sys.argv[1:]}
class InstalledAndAllowed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in allowed or name.startswith("_sysconfigdata"):
            return PathFinder.find_spec(name, path, target)
    find_distributions = PathFinder.find_distributions
sys.meta_path[:] = [BuiltinImporter, FrozenImporter, InstalledAndAllowed]
"""

# Imports every module, then runs a whole job: reads a volume and models, tunes, denoises, writes.
DENOISE_A_SMALL_VOLUME = """
import importlib, pkgutil, tempfile
from pathlib import Path
import numpy as np
import torch
from PseudoCTDenoiseLib import cli, cohort, ct, denoising, models, node, simulation
for package in (cli, cohort, ct, denoising, models, node, simulation):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.models.store import Manifest, load_model, load_noise_models, save_model
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.denoising.report import job_report
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume, write_volume

hu = np.full((2, 32, 40), -1000.0)
hu[:, 8:24, 8:32] = 50
hu = (hu + np.random.default_rng(0).normal(0, 5, hu.shape)).astype(np.int16)
like = CtVolume(hu, (0.7, 0.7, 3.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1), 2, "scan")
torch.manual_seed(0)  # with other weights the noise estimate may be too small or too large to tune
with tempfile.TemporaryDirectory() as folder:
    for role in (DENOISER, NOISE_MODEL):
        parameters = {"widths": [4, 8], "residual": role == DENOISER}
        manifest = Manifest(role, role, "UNet", parameters)
        save_model(build_network("UNet", parameters), manifest, folder)
    network, manifest = load_model(DENOISER, folder)
    (noise_model, noise_manifest), = load_noise_models(folder)

    write_volume(Path(folder) / "scan.nrrd", hu, like)
    volume = read_volume(Path(folder) / "scan.nrrd")
    settings = DenoisingSettings(steps=2, patch_size=16, batch=2, device="cpu")
    job = DenoisingJob(volume.hu, network, [noise_model], settings, maps="ensemble")
    result = job.run(job.estimate())
    job_report(volume.hu, result, manifest, [noise_manifest])
    write_volume(Path(folder) / "denoised.nii.gz", result.hu, volume)
    assert np.array_equal(read_volume(Path(folder) / "denoised.nii.gz").hu, result.hu)
assert len(result.losses) == 2 and not np.array_equal(result.hu, hu)
print("denoised")
"""


def run_bare(script: str, repository: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python process that finds only the allowed packages."""
    path = f"import sys; sys.path.insert(0, {str(repository / 'PseudoCTDenoise')!r})\n"
    return subprocess.run(
        [sys.executable, "-c", path + BARE_ENVIRONMENT + script, *bare_packages()],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_a_volume_is_denoised_without_any_optional_package(repository: Path):
    result = run_bare(DENOISE_A_SMALL_VOLUME, repository)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "denoised\n"


@pytest.mark.parametrize(
    "package",
    [
        "skimage",
        "scipy",
        "matplotlib",
        "microct_iq_toolbox",
        "tqdm",
        "PIL",
        "slicer",
        "distributed",
    ],
)
def test_the_bare_environment_hides_optional_packages(package: str, repository: Path):
    result = run_bare(f"import {package}", repository)
    assert f"No module named '{package}'" in result.stderr
