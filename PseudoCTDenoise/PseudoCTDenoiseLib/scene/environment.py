"""The requirements of the module, Slicer and PyTorch, and the installation of PyTorch."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
import threading
from typing import NamedTuple

import slicer
from slicer.i18n import tr as _

OLDEST_SLICER = (5, 12)
OLDEST_TORCH = "2.6"
TORCH_REQUIREMENT = f">={OLDEST_TORCH}"

_installation = threading.Lock()
"""Held during an installation, while Slicer still reacts to clicks and scripts."""


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
    found = _installedVersion()
    if found is None:  # an installation or a removal was interrupted
        return _installable(_("PyTorch is not installed completely."))
    if not SpecifierSet(TORCH_REQUIREMENT).contains(found, prereleases=True):
        text = _("PyTorch {found} is installed, but this module needs {wanted} or newer.")
        return _installable(text.format(found=found, wanted=OLDEST_TORCH))
    return None


def _installable(problem: str) -> Problem:
    """Add what the user can do about a missing or old PyTorch."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        advice = _(
            "PyTorch {wanted} or newer does not exist for Intel builds of Slicer on macOS; the "
            "last version for them is 2.2. On a Mac with an Apple chip, install Slicer's build for "
            "Apple silicon. On a Mac with an Intel processor, denoise the scan on another computer."
        ).format(wanted=OLDEST_TORCH)
        return Problem(f"{problem} {advice}", installable=False)
    advice = _("Click Install PyTorch to install it with the PyTorch extension.")
    return Problem(f"{problem} {advice}", installable=True)


def installTorch() -> bool:
    """Install PyTorch with the PyTorch extension, after asking the user.

    Returns
    -------
    True if Slicer should be restarted, because it has another PyTorch in memory. This module runs
    PyTorch in a process of its own, which needs no restart. Other modules may fail without one.

    Raises
    ------
    RuntimeError
        If the PyTorch extension is missing, an installation is in progress, or the installation
        failed.
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
    if not _installation.acquire(blocking=False):
        raise RuntimeError(_("PyTorch is being installed already. Wait until this has finished."))
    loaded, before = "torch" in sys.modules, _installedVersion()
    try:
        PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
        )
    except Exception as error:
        if not loaded:
            raise
        raise RuntimeError(
            _(
                "{error}\nSlicer has PyTorch in memory, which may prevent its replacement. Restart "
                "Slicer and install PyTorch before you open another module that uses it."
            ).format(error=error)
        ) from error
    finally:
        _installation.release()
    importlib.invalidate_caches()
    return loaded and _installedVersion() != before


def _installedVersion() -> str | None:
    """Return the version of PyTorch on disk; None if PyTorch or its version is missing."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
