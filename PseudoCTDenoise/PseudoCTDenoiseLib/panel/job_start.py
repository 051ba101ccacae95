"""Readiness of the Denoise button, and the start of a job."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ..scene import provenance
from ..scene.ct_input import sliceAxis
from ..scene.denoising_run import Request
from ..scene.parameter_node import Device
from ..scene.results import wasEdited
from ..scene.sequence_item import browserOf
from . import job_options
from .device_panel import DevicePanel
from .environment_panel import EnvironmentPanel
from .input_check import InputCheck
from .run_control import RunControl
from .run_panel import RunPanel
from .sequence_control import SequenceControl


class JobStart:
    """Enables the Denoise button when a job can start, and starts the job on a click.

    Parameters
    ----------
    logic : :class:`.scene.logic.PseudoCTDenoiseLogic`.

    Attributes
    ----------
    parameterNode : the parameter node to follow, or None to follow no node.
    """

    def __init__(
        self,
        ui,
        logic,
        runPanel: RunPanel,
        runControl: RunControl,
        sequenceControl: SequenceControl,
        devicePanel: DevicePanel,
        environmentPanel: EnvironmentPanel,
    ):
        self._ui = ui
        self._logic = logic
        self._runPanel = runPanel
        self._runControl = runControl
        self._sequenceControl = sequenceControl
        self._devicePanel = devicePanel
        self._environmentPanel = environmentPanel
        self._inputCheck = InputCheck()
        self._shown = None
        self.parameterNode = None
        ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        ui.repeatButton.connect("clicked()", self.onRepeatButton)

    def forgetInput(self) -> None:
        """Check the next input again, even if its node has the same ID."""
        self._inputCheck.forget()

    def refresh(self, caller=None, event=None) -> None:
        """Check whether a job can start, and show the reason if it cannot."""
        node = self.parameterNode
        if node is None or self._runPanel.running:
            return
        self._ui.gpuSpinBox.enabled = node.device is Device.CUDA
        volume = node.inputVolume
        self._ui.allItemsCheckBox.enabled = volume is not None and browserOf(volume) is not None
        problem, warning = self._inputCheck.check(node.inputVolume)
        if problem is None:
            problem = job_options.rangeProblem(node)
        if self._environmentPanel.problem is not None:
            problem = self._environmentPanel.problem.text
        advice = problem or warning or _("Ready")
        self._runPanel.setReady(problem is None, advice)
        shown = advice, volume and volume.GetID()
        if shown != self._shown:  # otherwise the outcome of the last job stays on screen
            self._runPanel.setStatus(advice)
            self._shown = shown
        if problem is None:
            self._devicePanel.setJob(job_options.speedKeyOf(node), job_options.jobSizeOf(node))
        else:
            self._devicePanel.setNoJob()

    def onApplyButton(self) -> None:
        """Start a job, or cancel the running one."""
        if not self._runPanel.acceptsClicks:
            return
        if self._runPanel.running:
            self._runControl.cancel()
            self._sequenceControl.cancel()
            return
        node = self.parameterNode
        if job_options.wantsAllItems(node):
            with slicer.util.tryWithErrorDisplay(_("Denoising could not start."), waitCursor=True):
                run = self._logic.backgroundSequenceRun(self._request())
                self._start(self._sequenceControl, run)
            return
        if not _mayReplace(node.outputVolume, node.inputVolume):
            return
        with slicer.util.tryWithErrorDisplay(_("Denoising could not start."), waitCursor=True):
            previewSlice = self._runControl.sliceOnScreen(
                node.inputVolume, sliceAxis(node.inputVolume)
            )
            run = self._logic.backgroundRun(
                self._request(), preview=True, previewSlice=previewSlice
            )
            self._start(self._runControl, run)

    def onRepeatButton(self) -> None:
        """Make the selected result again, into a new volume."""
        if self._runPanel.running:
            self._runPanel.setStatus(_("A job is running. Wait for its end, or cancel it."))
            return
        with slicer.util.tryWithErrorDisplay(
            _("The result could not be made again."), waitCursor=True
        ):
            run = self._logic.backgroundRepeat(self.parameterNode.outputVolume)
            self._start(self._runControl, run)

    def _start(self, control: RunControl | SequenceControl, run) -> None:
        self._devicePanel.pause()
        try:
            control.start(run)
        finally:
            self.refresh()  # without effect while the job runs

    def _request(self) -> Request:
        node = self.parameterNode
        return Request(
            node.inputVolume,
            node.outputVolume,
            node.model,
            job_options.settingsOf(node),
            job_options.outputsOf(node),
            node.strength,
            job_options.sliceRangeOf(node),
        )


def _mayReplace(output, inputVolume) -> bool:
    """Return True if a job may overwrite the output.

    Ask the user first if the output contains an image that is not a result of the same input, or
    that was edited.
    """
    if output is None or output.GetImageData() is None:
        return True
    if not provenance.isResultOf(output, inputVolume):
        question = _("{output} contains an image that is not a result of {input}. Replace it?")
    elif wasEdited(output):
        question = _("{output} was changed since it was made. Replace it and lose the changes?")
    else:
        return True
    return slicer.util.confirmOkCancelDisplay(
        question.format(output=output.GetName(), input=inputVolume.GetName())
    )
