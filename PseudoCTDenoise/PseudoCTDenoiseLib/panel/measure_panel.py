"""Measuring in a region, original beside denoised."""

from __future__ import annotations

from ..engine.errors import BadInputError
from ..scene.measurements import measure
from ..scene.results import resultParts


class MeasurePanel:
    """The regions and the button that measures in them.

    Parameters
    ----------
    comparison : where the table is shown.
    fail : shows an error to the user.
    """

    def __init__(self, ui, comparison, fail):
        self._ui = ui
        self._comparison = comparison
        self._fail = fail
        self._output = None
        self.table = None
        for selector in (ui.regionSelector, ui.backgroundSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self.refresh)
        ui.measureButton.connect("clicked()", self.onMeasure)
        self.refresh()

    def setOutput(self, output) -> None:
        """The result to measure in; None for none."""
        self._output = output
        self.refresh()

    def refresh(self, node=None) -> None:
        region = self._ui.regionSelector.currentNode()
        self._ui.measureButton.enabled = self._output is not None and region is not None

    def onMeasure(self) -> None:
        try:
            original, _removed = resultParts(self._output)
            self.table = measure(
                original,
                self._output,
                self._ui.regionSelector.currentNode(),
                self._ui.backgroundSelector.currentNode(),
                self.table,
            )
        except BadInputError as error:
            self._fail(str(error))
            return
        self._comparison.show(original, self._output, figures=True)
        self._comparison.showFigures(None, self.table)
