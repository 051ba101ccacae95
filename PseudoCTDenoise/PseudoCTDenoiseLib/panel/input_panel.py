"""Whether the chosen volume can be denoised, looked at once for each of its states."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..errors import BadInputError
from ..scene.ct_input import doubtOf
from ..scene.geometry import geometryOf
from ..scene.provenance import isDerived


class InputCheck:
    """What speaks against an input; remembered until the volume changes."""

    def __init__(self):
        self._state = None
        self._problem: str | None = None
        self._warning: str | None = None

    def look(self, volume) -> tuple[str | None, str | None]:
        """Why a volume cannot be denoised, and why that may be a mistake; None where it is not."""
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
            try:
                self._warning = doubtOf(volume)
            except BadInputError as error:
                self._problem = str(error)
            self._state = state
        return self._problem, self._warning

    def forget(self) -> None:
        self._state = None
