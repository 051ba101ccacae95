"""The requirements of the module, Slicer and PyTorch, and the installation of PyTorch."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
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
        return _installable(_("PyTorch is not installed. The network needs it."))
    try:
        found = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:  # built from source, so without a version
        return None
    if not SpecifierSet(TORCH_REQUIREMENT).contains(found, prereleases=True):
        text = _("PyTorch {found} is installed, but this module needs {wanted}.")
        return _installable(text.format(found=found, wanted=TORCH_REQUIREMENT))
    return None


def _installable(problem: str) -> Problem:
    """Add what the user can do about a missing or old PyTorch."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        advice = _(
            "PyTorch {wanted} does not exist for Intel builds of Slicer on macOS; the last version "
            "for them is 2.2. On a Mac with an Apple chip, install Slicer's build for Apple "
            "silicon. On a Mac with an Intel processor, denoise the scan on another computer."
        ).format(wanted=TORCH_REQUIREMENT)
        return Problem(f"{problem} {advice}", installable=False)
    advice = _("Click Install PyTorch to install it with the PyTorch extension.")
    return Problem(f"{problem} {advice}", installable=True)


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
