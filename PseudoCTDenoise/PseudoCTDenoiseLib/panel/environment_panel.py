"""What is missing before anything can be denoised, and the button that installs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import slicer
from slicer.i18n import tr as _


class Problem(NamedTuple):
    """What is missing, in words, and whether installing PyTorch mends it."""

    text: str
    mended: bool


class EnvironmentPanel:
    """A frame at the panel's top, shown only while something is missing.

    Parameters
    ----------
    problem : says what is missing; None if nothing is.
    install : gets it; called on a click.
    changed : called after that.
    """

    def __init__(
        self,
        ui,
        problem: Callable[[], Problem | None],
        install: Callable[[], None],
        changed: Callable[[], None],
    ):
        self._ui = ui
        self._look = problem
        self.problem: Problem | None = None
        self._install = install
        self._changed = changed
        ui.installButton.connect("clicked()", self.onInstall)
        self.refresh()

    def refresh(self) -> None:
        problem = self.problem = self._look()
        self._ui.environmentFrame.visible = problem is not None
        if problem is not None:
            self._ui.environmentLabel.text = problem.text
            self._ui.installButton.visible = problem.mended

    def onInstall(self) -> None:
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
