"""The requirements of the module, Slicer and PyTorch, and the installation of PyTorch."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import NamedTuple

import slicer
from slicer.i18n import tr as _

OLDEST_SLICER = (5, 12)
TORCH_REQUIREMENT = ">=2.6"


class Problem(NamedTuple):
    """A missing requirement: a text for the user, and True if installing PyTorch fixes it."""

    text: str
    installable: bool


def findProblem() -> Problem | None:
    """Return the first missing requirement, or None."""
    from packaging.specifiers import SpecifierSet

    version = (slicer.app.majorVersion, slicer.app.minorVersion)
    if version < OLDEST_SLICER:
        text = _("This module needs Slicer {wanted} or newer; this is {found}.").format(
            wanted="{}.{}".format(*OLDEST_SLICER), found="{}.{}".format(*version)
        )
        return Problem(text, installable=False)
    if importlib.util.find_spec("torch") is None:
        text = _(
            "PyTorch is not installed. The network needs it. Click Install PyTorch to install it "
            "with the PyTorch extension."
        )
        return Problem(text, installable=True)
    try:
        found = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:  # built from source, so without a version
        return None
    if not SpecifierSet(TORCH_REQUIREMENT).contains(found, prereleases=True):
        text = _(
            "PyTorch {found} is installed, but this module needs {wanted}. Click Install PyTorch "
            "to install it with the PyTorch extension."
        ).format(found=found, wanted=TORCH_REQUIREMENT)
        return Problem(text, installable=True)
    return None


def installTorch() -> None:
    """Install PyTorch with the PyTorch extension, after asking the user.

    Raises
    ------
    RuntimeError
        If the PyTorch extension is missing, or the installation failed.
    """
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        raise RuntimeError(
            _(
                "The PyTorch extension is missing. Install it in the Extensions Manager, restart "
                "Slicer, and try again."
            )
        ) from error
    PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
    )
    importlib.invalidate_caches()
