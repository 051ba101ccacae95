"""The selected result, and the strength at which it is shown."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer

from ..errors import BadInputError
from ..scene import provenance
from .compare_panel import ComparePanel
from .measure_panel import MeasurePanel
from .observed_node import ObservedNode


class ResultSelection:
    """Connects the output selector and the strength slider with the selected result.

    Parameters
    ----------
    comparePanel, measurePanel : panels that act on the selected result.
    applyStrength : shows a result at a strength in percent.
    isBusy : returns True if a running job will replace the given volume.
    showStatus : shows a text in the status line.

    Attributes
    ----------
    parameterNode : the parameter node to follow, or None to follow no node.
    """

    def __init__(
        self,
        ui,
        comparePanel: ComparePanel,
        measurePanel: MeasurePanel,
        applyStrength: Callable[[object, float], None],
        isBusy: Callable[[object], bool],
        showStatus: Callable[[str], None],
    ):
        self._result = ObservedNode(self._showStrength)
        self._ui = ui
        self._comparePanel = comparePanel
        self._measurePanel = measurePanel
        self._applyStrengthTo = applyStrength
        self._isBusy = isBusy
        self._showStatus = showStatus
        self._latestInputID: str | None = None
        self._chosen: tuple[object, float] | None = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = 0
        self._timer.connect("timeout()", self._applyChosenStrength)
        self.parameterNode = None
        ui.strengthSlider.connect("valueChanged(double)", self.onStrength)
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInput)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onOutput)

    def clear(self) -> None:
        """Forget the result, because the scene or the panel was closed."""
        self._setResult(None)

    def onInput(self, node=None) -> None:
        """Deselect the result of another scan, so that a job does not overwrite it.

        The range of slices is that of the former scan, too.
        """
        if self.parameterNode is None:
            return
        chosen, output = self._ui.inputSelector.currentNode(), self.parameterNode.outputVolume
        if chosen is not None:
            # A loaded scene shows its own input, with its own range.
            isShown = chosen is self.parameterNode.inputVolume
            if not isShown and self._latestInputID not in (None, chosen.GetID()):
                self.parameterNode.firstSlice, self.parameterNode.lastSlice = 1, 0
            self._latestInputID = chosen.GetID()
        self.parameterNode.inputVolume = chosen
        if (
            chosen is not None
            and provenance.isResult(output)
            and not provenance.isResultOf(output, chosen)
        ):
            self.parameterNode.outputVolume = None
            # While the parameter node updates the controls, it does not follow their changes.
            self._ui.outputSelector.setCurrentNode(None)
            self._setResult(None)

    def onOutput(self, node=None) -> None:
        """Show the properties of the selected result in the controls."""
        if self.parameterNode is not None:
            output = self._ui.outputSelector.currentNode()
            # Store the output before its strength. Otherwise the slider would change the strength
            # of the previous output.
            self.parameterNode.outputVolume = output
            self._setResult(output, show=True)

    def onStrength(self, value: float) -> None:
        """Apply the slider's value to the selected result when the event loop runs again.

        On a long scan this takes seconds, so the values in between are skipped while the user
        drags. By then the parameter node has the slider's value, too, so a refused value can be
        taken back.
        """
        output = self.parameterNode.outputVolume if self.parameterNode else None
        if provenance.isResult(output) and not self._isBusy(output):
            self._chosen = output, value
            self._timer.start()

    def _applyChosenStrength(self) -> None:
        (output, value), self._chosen = self._chosen, None
        selected = self.parameterNode.outputVolume if self.parameterNode else None
        isThere = output is selected and slicer.mrmlScene.IsNodePresent(output)
        if isThere and not self._isBusy(output):
            self._applyStrength(output, value)

    def showNewResult(self, parameterNode, output) -> None:
        """Select a new result and apply the slider's current strength to it.

        While another result is selected, the slider shows the strength of that one. If the user
        has selected another scan during the job, the result is not selected, because the next job
        would overwrite it.
        """
        selected = parameterNode.inputVolume
        if selected is not None and not provenance.isResultOf(output, selected):
            return
        before, strength = parameterNode.outputVolume, parameterNode.strength
        if provenance.isResult(before) and before.GetID() != output.GetID():
            strength = float(output.GetAttribute(provenance.STRENGTH))
        # The selector first: the slider does not follow while the parameter node sets the selector.
        # A volume that a script has chosen becomes listed with its result.
        self._ui.outputSelector.setCurrentNode(output)
        parameterNode.outputVolume = output
        self._setResult(output)
        self._applyStrength(output, strength)

    def _applyStrength(self, output, value: float) -> None:
        recorded = float(output.GetAttribute(provenance.STRENGTH))
        if abs(recorded - value) < 1:
            return  # the slider shows whole percentages, but a script may have set a fraction
        try:
            self._applyStrengthTo(output, value)
        except BadInputError as error:
            self._showStatus(str(error))
        self._showStrength(output)

    def _setResult(self, output, show: bool = False) -> None:
        result = output if provenance.isResult(output) else None
        self._comparePanel.setOutput(result, show)
        self._measurePanel.setOutput(result)
        self._result.observe(result)
        if result is not None:
            self._showStrength(result)

    def _showStrength(self, output, event=None) -> None:
        """Move the slider to the strength of the result, even if a script has changed it."""
        if self.parameterNode is not None and not self._isBusy(output):
            self.parameterNode.strength = float(output.GetAttribute(provenance.STRENGTH))
