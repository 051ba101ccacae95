"""Controls of the comparison: views, plane, window, blink, plots."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from ..engine.errors import BadInputError
from ..scene import provenance
from ..scene.plots import plotName
from ..scene.results import resultParts
from ..scene.side_by_side import SideBySide
from ..scene.window_presets import WINDOW_PRESETS, setWindow

BLINK_MS = 500
NONE, NOISE, DIFFERENCE = range(3)
"""Items of the third view's choice."""


class ComparePanel:
    """Shows a result beside its input.

    Parameters
    ----------
    comparison : what lays the volumes out.
    fail : shows an error to the user.
    """

    def __init__(self, ui, comparison: SideBySide, fail):
        self._ui = ui
        self._comparison = comparison
        self._fail = fail
        self._output = None
        self._timer = qt.QTimer()
        self._timer.interval = BLINK_MS
        self._timer.connect("timeout()", self._onBlink)
        for name, (window, level) in WINDOW_PRESETS.items():
            ui.windowComboBox.addItem(f"{name} ({window:g} / {level:g} HU)", name)
        ui.sideBySideButton.connect("clicked()", self.showSideBySide)
        ui.figuresButton.connect("clicked()", self.showFigures)
        ui.restoreLayoutButton.connect("clicked()", self.onRestore)
        ui.thirdViewComboBox.connect("currentIndexChanged(int)", self._onThirdView)
        ui.orientationComboBox.connect("currentIndexChanged(int)", self._onOrientation)
        ui.windowComboBox.connect("currentIndexChanged(int)", self._onWindow)
        ui.plotComboBox.connect("currentIndexChanged(int)", self._onPlot)
        ui.blinkCheckBox.connect("toggled(bool)", self._onBlinkToggled)
        self.setOutput(None)

    def setOutput(self, output) -> None:
        """The result that the controls act on; None for none."""
        self._output = output if output is not None and provenance.isDerived(output) else None
        there = self._output is not None
        for name in ("sideBySideButton", "figuresButton", "thirdViewComboBox", "plotComboBox"):
            getattr(self._ui, name).enabled = there
        self._ui.blinkCheckBox.enabled = there
        if not there:
            self._ui.blinkCheckBox.checked = False
        self._listPlots()
        self.refresh()

    def refresh(self) -> None:
        """Enable what the layout on the screen allows."""
        self._ui.restoreLayoutButton.enabled = self._comparison.shown

    def showSideBySide(self) -> None:
        parts = self._parts()
        if parts is not None:
            self._comparison.show(parts[0], self._output, self._third(parts[1]))
            self.refresh()

    def showFigures(self) -> None:
        parts = self._parts()
        if parts is None:
            return
        self._comparison.show(parts[0], self._output, figures=True)
        self._onPlot()
        self.refresh()

    def onRestore(self) -> None:
        self._ui.blinkCheckBox.checked = False
        self._comparison.restore()
        self.refresh()

    def cleanup(self) -> None:
        self._timer.stop()

    def _parts(self):
        if self._output is None:
            return None
        try:
            return resultParts(self._output)
        except BadInputError as error:
            self._fail(str(error))
            return None

    def _third(self, removedNoise):
        index = self._ui.thirdViewComboBox.currentIndex
        if index == NOISE:
            noise = self._output.GetNodeReference(provenance.NOISE_MAP)
            if noise is None:
                self._fail(
                    _("There is no noise map of this result: tick 'Noise map' and run again.")
                )
            return noise
        return removedNoise if index == DIFFERENCE else None

    def _onThirdView(self, index=None) -> None:
        if self._output is not None:
            self.showSideBySide()

    def _onOrientation(self, index=None) -> None:
        self._comparison.setOrientation(self._ui.orientationComboBox.currentText)

    def _onWindow(self, index=None) -> None:
        name = self._ui.windowComboBox.currentData
        parts = self._parts() if name else None
        if parts is not None:
            setWindow((parts[0], self._output), name)

    def _onBlinkToggled(self, on: bool) -> None:
        if on:
            if not self._comparison.shown or self._comparison.denoised is not self._output:
                self.showSideBySide()
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

    def _listPlots(self) -> None:
        box = self._ui.plotComboBox
        wasBlocked = box.blockSignals(True)
        box.clear()
        for chart in self._charts():
            box.addItem(plotName(chart), chart.GetID())
        box.blockSignals(wasBlocked)

    def _charts(self) -> list:
        if self._output is None:
            return []
        count = self._output.GetNumberOfNodeReferences(provenance.CHARTS)
        charts = [self._output.GetNthNodeReference(provenance.CHARTS, i) for i in range(count)]
        return [chart for chart in charts if chart is not None]

    def _onPlot(self, index=None) -> None:
        chart = slicer.mrmlScene.GetNodeByID(self._ui.plotComboBox.currentData or "")
        table = self._output.GetNodeReference(provenance.PROVENANCE) if self._output else None
        self._comparison.showFigures(chart, table)
