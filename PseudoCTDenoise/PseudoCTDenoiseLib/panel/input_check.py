"""Check of the input volume."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import BadInputError
from ..scene.ct_input import warningFor
from ..scene.geometry import geometryOf
from ..scene.provenance import isDerived


class InputCheck:
    """Checks an input volume, and caches the result until the volume changes."""

    def __init__(self):
        self._state = None
        self._problem: str | None = None
        self._warning: str | None = None

    def check(self, volume) -> tuple[str | None, str | None]:
        """Return (error, warning) for a volume. Either is None if there is nothing to report."""
        if volume is None:
            return _("Select a CT volume first."), None
        image = volume.GetImageData()
        state = (
            volume.GetID(),
            image.GetMTime() if image else 0,
            geometryOf(volume).tobytes(),
            isDerived(volume),
        )
        if state != self._state:
            self._problem = self._warning = None
            slicer.app.setOverrideCursor(qt.Qt.WaitCursor)  # a long scan takes seconds
            try:
                self._warning = warningFor(volume)
            except BadInputError as error:
                self._problem = str(error)
            finally:
                slicer.app.restoreOverrideCursor()
            self._state = state
        return self._problem, self._warning

    def forget(self) -> None:
        """Clear the cache."""
        self._state = None
