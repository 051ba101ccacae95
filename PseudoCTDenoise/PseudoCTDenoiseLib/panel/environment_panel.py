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
    install : installs it; called on a click.
    changed : called after the installation.
    """

    def __init__(
        self,
        ui,
        findProblem: Callable[[], Problem | None],
        install: Callable[[], None],
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
        """Install PyTorch, and show an error message if this fails."""
        self._ui.installButton.enabled = False
        self._ui.installButton.text = _("Installing…")
        try:
            with slicer.util.tryWithErrorDisplay(_("PyTorch could not be installed.")):
                self._install()
        finally:
            self._ui.installButton.enabled = True
            self._ui.installButton.text = _("Install PyTorch…")
            self.refresh()
            self._changed()
