"""Denoising needs torch, numpy and SimpleITK, and nothing else that pip can install."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

# Run ahead of each script. Everything but Python, our library and the packages given as
# arguments is refused, as if it were not installed.
BARE_ENVIRONMENT = """
import sys
allowed = {"PseudoCTDenoiseLib", *sys.stdlib_module_names, *sys.argv[1:]}
class NotInstalled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled)
"""

# The whole path of a denoising job, on an array of a few slices.
DENOISE_A_SMALL_VOLUME = """
import importlib, pkgutil
from PseudoCTDenoiseLib import engine
for module in pkgutil.iter_modules(engine.__path__):
    importlib.import_module(f"{engine.__name__}.{module.name}")
"""


def with_dependencies(distribution: str) -> set[str]:
    """A distribution's name and those of all that it requires, optional extras aside."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        waiting += [re.match(r"[\w.-]+", line)[0] for line in required if "extra ==" not in line]
    return found


def bare_packages() -> list[str]:
    """Names to import of torch, numpy and SimpleITK with what they require."""
    distributions = set().union(*map(with_dependencies, ["torch", "numpy", "SimpleITK"]))
    return sorted(
        package
        for package, owners in metadata.packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & distributions
    )


def run_bare(script: str, repository: Path) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path.insert(0, {str(repository / 'PseudoCTDenoise')!r})\n"
    return subprocess.run(
        [sys.executable, "-c", path + BARE_ENVIRONMENT + script, *bare_packages()],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_a_volume_is_denoised_without_any_other_package(repository: Path):
    result = run_bare(DENOISE_A_SMALL_VOLUME, repository)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", ["skimage", "scipy", "matplotlib", "tqdm", "PIL", "slicer"])
def test_the_bare_environment_lacks_the_tools(package: str, repository: Path):
    result = run_bare(f"import {package}", repository)
    assert f"No module named '{package}'" in result.stderr
