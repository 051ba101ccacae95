"""Measurement in a region of the original and the denoised volume."""

from __future__ import annotations

from ..errors import BadInputError
from ..scene.measurements import measure
from ..scene.results import originalOf
from .compare_panel import ComparePanel


class MeasurePanel:
    """Region selectors and the Measure button.

    Parameters
    ----------
    comparePanel : shows the table.
    showError : shows an error message to the user.
    """

    def __init__(self, ui, comparePanel: ComparePanel, showError):
        self._ui = ui
        self._comparePanel = comparePanel
        self._showError = showError
        self._output = None
        self.table = None
        for selector in (ui.regionSelector, ui.backgroundSelector):
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self.refresh)
        ui.measureButton.connect("clicked()", self.onMeasure)
        self.refresh()

    def setOutput(self, output) -> None:
        """Select the result to measure in; None disables the button."""
        self._output = output
        self.refresh()

    def refresh(self, node=None) -> None:
        """Enable the button if a result and a region are selected."""
        region = self._ui.regionSelector.currentNode()
        self._ui.measureButton.enabled = self._output is not None and region is not None

    def onMeasure(self) -> None:
        """Measure and show the table."""
        try:
            self.table = measure(
                originalOf(self._output),
                self._output,
                self._ui.regionSelector.currentNode(),
                self._ui.backgroundSelector.currentNode(),
            )
        except BadInputError as error:
            self._showError(str(error))
            return
        self._comparePanel.showPlotAndTable(self.table)
