"""Frame that shows a missing requirement, and the button that installs it."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..scene.environment import Problem


class EnvironmentPanel:
    """A frame at the top of the panel, visible while a requirement is missing.

    Parameters
    ----------
    findProblem : returns the missing requirement, or None.
    install : installs it and returns True if Slicer should be restarted; called on a click.
    changed : called after the installation.
    """

    def __init__(
        self,
        ui,
        findProblem: Callable[[], Problem | None],
        install: Callable[[], bool],
        changed: Callable[[], None],
    ):
        self._ui = ui
        self._findProblem = findProblem
        self.problem: Problem | None = None
        self._install = install
        self._changed = changed
        ui.installButton.connect("clicked()", self.onInstall)
        self.refresh()

    def refresh(self) -> None:
        """Check the requirements again."""
        problem = self.problem = self._findProblem()
        self._ui.environmentFrame.visible = problem is not None
        if problem is not None:
            self._ui.environmentLabel.text = problem.text
            self._ui.installButton.visible = problem.installable

    def onInstall(self) -> None:
        """Install PyTorch and offer a restart if one is needed, or show an error message."""
        restart = False
        self._ui.installButton.enabled = False
        self._ui.installButton.text = _("Installing…")
        try:
            with slicer.util.tryWithErrorDisplay(_("PyTorch could not be installed.")):
                restart = self._install()
        finally:
            self._ui.installButton.enabled = True
            self._ui.installButton.text = _("Install PyTorch…")
            self.refresh()
            self._changed()
        if restart and not slicer.app.testingEnabled() and _userWantsRestart():
            slicer.util.restart()


def _userWantsRestart() -> bool:
    return slicer.util.confirmYesNoDisplay(
        _(
            "Another version of PyTorch was installed. This module can use it now. Slicer still "
            "has the former version in memory, so other modules that use PyTorch may fail until "
            "you restart Slicer. Restart now? Data that you have not saved are lost."
        )
    )
