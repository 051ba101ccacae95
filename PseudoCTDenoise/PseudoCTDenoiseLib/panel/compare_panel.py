"""Controls of the comparison: views, plane, window, blinking and plots."""

from __future__ import annotations

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from ..errors import BadInputError
from ..scene import provenance
from ..scene.dicom_export import canExport, showExportDialog
from ..scene.plots import chartsOf, plotName
from ..scene.results import originalOf, removedNoiseOf
from ..scene.side_by_side import ORIENTATIONS, SideBySide
from ..scene.window_presets import WINDOW_PRESETS, setWindow
from .observed_node import ObservedNode
from .removed_noise_row import showRemovedNoise

BLINK_MS = 500
NONE, NOISE, DIFFERENCE = range(3)
"""Items in the list of the third view."""


class ComparePanel:
    """Shows a result beside its input.

    Parameters
    ----------
    comparison : arranges the volumes in the views.
    showError : shows an error message to the user.
    """

    def __init__(self, ui, comparison: SideBySide, showError):
        self._ui = ui
        self._comparison = comparison
        self._showError = showError
        self._output = None
        self._table = None
        self._planeBefore = ""
        self._display = ObservedNode(self._showWindow)
        self._result = ObservedNode(self._showLight)
        self._timer = qt.QTimer()
        self._timer.interval = BLINK_MS
        self._timer.connect("timeout()", self._onBlink)
        for name, (window, level) in WINDOW_PRESETS.items():
            ui.windowComboBox.addItem(f"{name} ({window:g} / {level:g} HU)", name)
        ui.sideBySideButton.connect("clicked()", self.showSideBySide)
        ui.plotsAndTablesButton.connect("clicked()", self.showPlotAndTable)
        ui.restoreLayoutButton.connect("clicked()", self.onRestore)
        ui.exportDicomButton.connect("clicked()", self.onExportDicom)
        ui.showSliceButton.connect("clicked()", self._onShowSlice)
        ui.thirdViewComboBox.connect("activated(int)", self._onThirdView)
        ui.orientationComboBox.connect("activated(int)", self._onOrientation)
        ui.windowComboBox.connect("activated(int)", self._onWindow)
        ui.plotComboBox.connect("activated(int)", self._onPlot)
        ui.blinkCheckBox.connect("toggled(bool)", self._onBlinkToggled)
        self._layoutNode = self._layoutTag = None
        manager = slicer.app.layoutManager()
        if manager is not None:
            self._layoutNode = manager.layoutLogic().GetLayoutNode()
            self._layoutTag = self._layoutNode.AddObserver(
                vtk.vtkCommand.ModifiedEvent, self._onLayoutModified
            )
        if not comparison.shown:
            comparison.setOrientation(ORIENTATIONS[0])
        self.setOutput(None)

    def setOutput(self, output, show: bool = False) -> None:
        """Select the result that the controls show; None or another volume disables them.

        Parameters
        ----------
        show : show a newly selected result in the views, if they show the comparison.
        """
        before = self._output
        self._output = output if provenance.isResult(output) else None
        hasResult = self._output is not None
        self._ui.exportDicomButton.enabled = hasResult and canExport(self._output)
        for name in (
            "sideBySideButton",
            "plotsAndTablesButton",
            "repeatButton",
            "thirdViewComboBox",
            "windowComboBox",
            "plotComboBox",
            "blinkCheckBox",
        ):
            getattr(self._ui, name).enabled = hasResult
        if not hasResult:
            self._ui.blinkCheckBox.checked = False
        self._table = self._output.GetNodeReference(provenance.PROVENANCE) if hasResult else None
        self._result.observe(self._output)
        self._showLight()
        display = self._output.GetDisplayNode() if hasResult else None
        self._display.observe(display)
        self._showWindow(display)
        self._listPlots()
        self.refresh()
        if show and self._output is not before:
            self.showSelected()

    def refresh(self) -> None:
        """Enable the controls that the current layout allows."""
        self._ui.restoreLayoutButton.enabled = self._comparison.shown

    def showSideBySide(self) -> None:
        """Show the original, the result and the volume of the third view, if there is one."""
        original = self._original()
        if original is not None:
            self._comparison.show(original, self._output, self._third())
            self.refresh()

    def showResult(self, output) -> None:
        """Show a new result beside its original, even if another scan is selected meanwhile."""
        original = output.GetNodeReference(provenance.INPUT)
        if original is not None and slicer.mrmlScene.IsNodePresent(output):
            third = self._third() if output is self._output else None
            self._comparison.show(original, output, third)
            self.refresh()

    def showSelected(self) -> None:
        """Show the selected result in the comparison, if that is on screen."""
        comparison = self._comparison
        if self._output is None or not comparison.shown:
            return
        if slicer.mrmlScene.IsBatchProcessing():  # the views of a loaded scene come later
            return
        if comparison.shows(self._output):
            self._showChoices()
            return
        try:
            originalOf(self._output)
        except BadInputError:  # shown when the user clicks a button
            return
        if comparison.plotAndTableShown:
            self.showPlotAndTable()
        else:
            self.showSideBySide()

    def startPreview(self) -> None:
        """Show axial views: in another plane, the one slice of a preview is a line."""
        self._planeBefore = self._planeBefore or self._comparison.orientation
        self._showPlane(ORIENTATIONS[0])
        self._ui.orientationComboBox.enabled = False
        self.refresh()

    def endPreview(self) -> None:
        """Show the plane from before the preview."""
        plane, self._planeBefore = self._planeBefore, ""
        if plane:
            self._ui.orientationComboBox.enabled = True
            self._showPlane(plane)

    def showViews(self) -> None:
        """Show the result in the views of the comparison, unless it is shown there already."""
        if self._output is not None and not self._comparison.shows(self._output):
            self.showSideBySide()

    def showPlotAndTable(self, table=None) -> None:
        """Show original and result above a plot and a table, by default the provenance table."""
        original = self._original()
        if original is None:
            return
        self._table = table or self._output.GetNodeReference(provenance.PROVENANCE)
        self._comparison.show(original, self._output, plotAndTable=True)
        self._onPlot()
        self.refresh()

    def onRestore(self) -> None:
        """Restore the layout from before the comparison."""
        self._ui.blinkCheckBox.checked = False
        self._comparison.restore()
        self.refresh()

    def onExportDicom(self) -> None:
        """Show Slicer's dialog for DICOM export with the result selected."""
        showExportDialog(self._output)

    def cleanup(self) -> None:
        """Stop the timers and the observation of the layout."""
        self._timer.stop()
        self._display.observe(None)
        self._result.observe(None)
        if self._layoutNode is not None:
            self._layoutNode.RemoveObserver(self._layoutTag)
            self._layoutNode = None

    def _showChoices(self) -> None:
        """Show the plane and the third view of a loaded scene in the controls."""
        comparison = self._comparison
        self._showPlane(comparison.orientation)
        noise = self._output.GetNodeReference(provenance.NOISE_MAP)
        third = NONE if comparison.noise is None else DIFFERENCE
        third = NOISE if third and comparison.noise is noise else third
        self._ui.thirdViewComboBox.setCurrentIndex(third)

    def _original(self):
        if self._output is None:
            return None
        try:
            return originalOf(self._output)
        except BadInputError as error:
            self._showError(str(error))
            return None

    def _third(self):
        index = self._ui.thirdViewComboBox.currentIndex
        role = {NOISE: provenance.NOISE_MAP, DIFFERENCE: provenance.REMOVED_NOISE}.get(index)
        return self._output.GetNodeReference(role) if role else None

    def _onThirdView(self, index=None) -> None:
        if index == NOISE and self._third() is None:
            self._showError(_("This result has no noise map. Tick 'Noise map' and denoise again."))
        elif index == DIFFERENCE:
            try:
                removedNoiseOf(self._output)
            except BadInputError as error:
                self._showError(str(error))
        self.showSideBySide()

    def _showLight(self, output=None, event=None) -> None:
        ui = self._ui
        showRemovedNoise(ui.removedNoiseLabel, ui.showSliceButton, self._output)

    def _onShowSlice(self) -> None:
        """Show the slice that the light names."""
        self.showViews()
        if self._comparison.shows(self._output):
            self._showPlane(ORIENTATIONS[0])
            self._comparison.jumpToSlice(provenance.removedNoiseSlice(self._output))

    def _showPlane(self, plane: str) -> None:
        self._ui.orientationComboBox.setCurrentIndex(ORIENTATIONS.index(plane))
        if plane != self._comparison.orientation:
            self._comparison.setOrientation(plane)

    def _showWindow(self, display, event=None) -> None:
        """Show no preset after the window was changed elsewhere."""
        window = display and (display.GetWindow(), display.GetLevel())
        if WINDOW_PRESETS.get(self._ui.windowComboBox.currentData) != window:
            self._ui.windowComboBox.setCurrentIndex(0)

    def _onOrientation(self, index=None) -> None:
        self._comparison.setOrientation(ORIENTATIONS[self._ui.orientationComboBox.currentIndex])

    def _onWindow(self, index=None) -> None:
        name = self._ui.windowComboBox.currentData
        original = self._original() if name else None
        if original is not None:
            setWindow((original, self._output), name)

    def _onBlinkToggled(self, on: bool) -> None:
        if on:
            self.showViews()
            self._timer.start()
        else:
            self._timer.stop()
            if self._comparison.shown:
                self._comparison.showDenoised()

    def _onBlink(self) -> None:
        if self._comparison.shown:
            self._comparison.flip()
        else:
            self._ui.blinkCheckBox.checked = False

    def _onLayoutModified(self, caller=None, event=None) -> None:
        self.refresh()

    def _listPlots(self) -> None:
        box = self._ui.plotComboBox
        before = box.currentData
        box.clear()
        for chart in chartsOf(self._output) if self._output is not None else ():
            box.addItem(plotName(chart), chart.GetID())
        box.setCurrentIndex(max(box.findData(before), 0))

    def _onPlot(self, index=None) -> None:
        chart = slicer.mrmlScene.GetNodeByID(self._ui.plotComboBox.currentData or "")
        self._comparison.showPlotAndTable(chart, self._table)
