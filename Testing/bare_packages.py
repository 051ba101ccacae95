"""The packages that denoising requires, and what these require, as installed for the tests."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

REQUIRED = ("torch", "numpy", "SimpleITK", "pydicom")
"""Distributions that denoising needs."""


def bare_packages() -> list[str]:
    """Return the import names of torch, numpy, SimpleITK, pydicom and their requirements."""
    distributions = _bare_distributions()
    return sorted(
        package
        for package, owners in metadata.packages_distributions().items()
        if {_normalised(owner) for owner in owners} & distributions.keys()
    )


def bare_paths() -> list[Path]:
    """Return the files and folders of these packages in site-packages, metadata included."""
    return sorted(
        {
            Path(distribution.locate_file(file.parts[0]))
            for distribution in _bare_distributions().values()
            for file in distribution.files or ()
            if file.parts[0] not in ("..", "__pycache__")
        }
    )


def _bare_distributions() -> dict[str, metadata.Distribution]:
    """Return the required distributions and their dependencies, without optional extras."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(REQUIRED)
    while waiting:
        name = _normalised(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # a dependency on another platform only
            continue
        requirements = found[name].requires or ()
        waiting += [
            re.match(r"[\w.-]+", line)[0] for line in requirements if "extra ==" not in line
        ]
    return found


def _normalised(name: str) -> str:
    """Return a distribution's name in the spelling of the package index."""
    return re.sub(r"[-_.]+", "-", name).lower()
