"""Measurement in a region of the original and the denoised volume."""

from __future__ import annotations

from ..errors import BadInputError
from ..scene.measurements import measure
from ..scene.region_placement import placeRegion
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
        ui.placeRegionButton.connect("clicked()", self.onPlaceRegion)
        ui.placeBackgroundButton.connect("clicked()", self.onPlaceBackground)
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

    def onPlaceRegion(self) -> None:
        """Let the user draw the region."""
        self._place(self._ui.regionSelector)

    def onPlaceBackground(self) -> None:
        """Let the user draw the background."""
        self._place(self._ui.backgroundSelector)

    def _place(self, selector) -> None:
        """Show the comparison, and let the user draw a region in it for a selector."""
        self._comparePanel.showViews()
        selector.setCurrentNode(placeRegion(selector.baseName, selector.currentNode()))

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
