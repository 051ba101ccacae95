"""The module's logic: every function of the panel, for scripts."""

from __future__ import annotations

import logging

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ..denoising.presets import preset_settings
from ..denoising.settings import DenoisingSettings, settings_from_values
from ..duration import duration
from ..errors import Cancelled
from ..models.catalog import DEFAULT_MODEL
from ..worker.device_check import DeviceCheck
from ..worker.qprocess_runner import QProcessRunner
from ..worker.runner import SubprocessRunner
from ..worker.worker_process import LOST_SECONDS, JobState
from . import environment, measurements, provenance, results
from .ct_input import derivedWarning
from .denoising_run import DenoisingRun, Request
from .parameter_node import PseudoCTDenoiseParameterNode
from .repeat_run import RepeatRun
from .results import Outputs
from .sequence_run import SequenceRun
from .side_by_side import COMPARISON
from .user_defaults import applyDefaults


class PseudoCTDenoiseLogic(ScriptedLoadableModuleLogic):
    """Every function of the panel, for scripts.

    >>> logic = slicer.util.getModuleLogic("PseudoCTDenoise")
    >>> denoised = logic.process(slicer.util.getNode("CT"))
    >>> logic.showSideBySide(denoised)
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.comparison = COMPARISON

    def getParameterNode(self) -> PseudoCTDenoiseParameterNode:
        """Return the parameter node of the scene; a new one has the user's defaults."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        # Closing a scene keeps the node and removes its attributes.
        isNew = node is None or node.GetAttribute("ModuleName") is None
        parameterNode = PseudoCTDenoiseParameterNode(super().getParameterNode())
        if isNew:
            applyDefaults(parameterNode)
        return parameterNode

    def process(
        self,
        inputVolume,
        outputVolume=None,
        *,
        preset="standard",
        model=DEFAULT_MODEL,
        strength=100.0,
        sliceRange=None,
        outputs=None,
        waitForCompletion=True,
        progressCallback=None,
        preview=False,
        previewSlice=None,
        **settings,
    ):
        """Denoise a CT volume in a background process.

        Parameters
        ----------
        inputVolume : scalar volume node with a CT in HU; it is not modified. A volume that this
            module made gives a warning in Slicer's log.
        outputVolume : node for the result; None creates one.
        preset : "quick", "standard", "thorough" or "paper". ``settings`` change single settings
            of the preset by the engine's names (``steps=50``, ``seed=1``, ``device="cpu"``), see
            :class:`.DenoisingSettings`.
        strength : 0 to 100 %.
        sliceRange : first and last slice, counted from 0; None for all.
        outputs : additional nodes to create, see :class:`.Outputs`.
        waitForCompletion : False returns immediately.
        progressCallback : called with every progress report (stage, step, total, seconds_left).
            An exception that it raises while this function waits cancels the job and is raised
            here.
        preview : show a slice of the unfinished result every few seconds (``previewSlice``,
            counted from 0, or the slice with the most tissue).

        Returns
        -------
        The node of the denoised volume, or the :class:`.DenoisingRun` if this does not wait.

        Raises
        ------
        BadInputError
            If the input cannot be denoised, or a setting is unknown or out of range.
        RuntimeError
            If the background process failed, or has not answered for minutes while this function
            waited.
        Cancelled
            If the job was cancelled while this function waited.
        """
        request = Request(
            inputVolume,
            outputVolume,
            model,
            _presetWith(preset, settings),
            outputs or Outputs(),
            strength,
            sliceRange,
        )
        _warnOfDerived(inputVolume)
        if waitForCompletion:
            run = DenoisingRun(request, SubprocessRunner())
        else:
            run = self.backgroundRun(request, preview, previewSlice)
        return _started(run, waitForCompletion, progressCallback)

    def processSequence(
        self,
        inputVolume,
        *,
        preset="standard",
        model=DEFAULT_MODEL,
        strength=100.0,
        sliceRange=None,
        waitForCompletion=True,
        progressCallback=None,
        **settings,
    ):
        """Denoise all items of a sequence into a new sequence of the same browser.

        Each item is a job of its own. If one fails or is cancelled, the scene is unchanged.

        Parameters
        ----------
        inputVolume : the volume in which a sequence browser shows the items.
        preset, model, strength, sliceRange, settings, waitForCompletion, progressCallback : as in
            :meth:`process`. The strength of the result cannot be changed later.

        Returns
        -------
        The volume that shows the denoised item, or the :class:`.SequenceRun` if this does not
        wait.

        Raises
        ------
        BadInputError, RuntimeError, Cancelled
            As :meth:`process` does, and BadInputError if the input belongs to no sequence.
        """
        request = Request(
            inputVolume,
            model=model,
            settings=_presetWith(preset, settings),
            strength=strength,
            sliceRange=sliceRange,
        )
        _warnOfDerived(inputVolume)
        if waitForCompletion:
            run = SequenceRun(request, SubprocessRunner)
        else:
            run = self.backgroundSequenceRun(request)
        return _started(run, waitForCompletion, progressCallback)

    def repeatResult(self, outputVolume, *, waitForCompletion=True, progressCallback=None):
        """Make a result again, into a new volume, and log how it differs from the old one.

        Parameters
        ----------
        outputVolume : a denoised volume whose input is in the scene, unchanged.
        waitForCompletion, progressCallback : as in :meth:`process`.

        Returns
        -------
        The node of the new volume, or the :class:`.RepeatRun` if this does not wait. The
        ``outcome`` of the run is the difference in words.

        Raises
        ------
        BadInputError, RuntimeError, Cancelled
            As :meth:`process` does, and BadInputError if the result cannot be made again.
        """
        if waitForCompletion:
            run = RepeatRun(outputVolume, SubprocessRunner())
        else:
            run = self.backgroundRepeat(outputVolume)
        run.ended.connect(lambda state: logging.info(run.outcome) if run.outcome else None)
        return _started(run, waitForCompletion, progressCallback)

    def backgroundRepeat(self, outputVolume):
        """Return a :class:`.RepeatRun` that is not started and will run beside the window.

        Raises
        ------
        BadInputError
            As for :meth:`repeatResult`.
        """
        return RepeatRun(outputVolume, QProcessRunner())

    def backgroundRun(self, request, preview=False, previewSlice=None):
        """Return a :class:`.DenoisingRun` that is not started and will run beside the window.

        Parameters
        ----------
        request : :class:`.Request`.
        preview, previewSlice : as in :meth:`process`.

        Raises
        ------
        BadInputError
            If the input cannot be denoised.
        """
        return DenoisingRun(request, QProcessRunner(), preview=preview, previewSlice=previewSlice)

    def backgroundSequenceRun(self, request):
        """Return a :class:`.SequenceRun` that is not started and will run beside the window.

        Raises
        ------
        BadInputError
            As for :meth:`processSequence`.
        """
        return SequenceRun(request, QProcessRunner)

    def applyStrength(self, outputVolume, strength):
        """Show a finished result at another strength, 0 to 100 %, without denoising again."""
        results.applyStrength(outputVolume, strength)

    def showSideBySide(self, outputVolume):
        """Show a result beside its input."""
        self.comparison.show(results.originalOf(outputVolume), outputVolume)

    def measure(self, outputVolume, region, background=None, tableNode=None):
        """Measure mean, standard deviation and contrast-to-noise ratio; return a table node."""
        original = results.originalOf(outputVolume)
        return measurements.measure(original, outputVolume, region, background, tableNode)

    def deviceCheck(self, device="auto", model=DEFAULT_MODEL, rows=512, columns=512):
        """Return a :class:`.DeviceCheck` that is not started."""
        return DeviceCheck(QProcessRunner(), rows, columns, device_name=device, model=model)

    def environmentProblem(self):
        """Return the missing requirement as a :class:`.environment.Problem`, or None."""
        return environment.findProblem()

    def setupEnvironment(self):
        """Install PyTorch with the PyTorch extension, after asking the user.

        Returns
        -------
        True if Slicer should be restarted for other modules, see
        :func:`.environment.installTorch`.

        Raises
        ------
        RuntimeError
            If the PyTorch extension is missing, an installation is in progress, or the
            installation failed.
        """
        return environment.installTorch()


def _presetWith(preset: str, changes: dict) -> DenoisingSettings:
    """Return the settings of a preset with some of them changed."""
    return settings_from_values({**preset_settings(preset).as_dict(), **changes})


def _lossWatcher():
    """Return a function that warns of a background process that does not answer, then ends it.

    Nobody can click Cancel while a script waits.
    """
    warned = False

    def watch(silence) -> None:
        nonlocal warned
        text = (
            f"The background process has not answered for {duration(silence.without_message)}. It "
            "may be stopped, or the computer may be short of memory."
        )
        if silence.is_final:
            raise RuntimeError(f"{text} The job was ended. The scene is unchanged. Run it again.")
        if silence.is_complete and not warned:
            warned = True
            logging.warning(f"{text} The job ends after {duration(LOST_SECONDS)} without answer.")

    return watch


def _warnOfDerived(inputVolume) -> None:
    if provenance.isDerived(inputVolume):
        logging.warning(derivedWarning(inputVolume))


def _started(run, waitForCompletion, progressCallback):
    """Start a run, and return its output after its end; without waiting, return the run."""
    if progressCallback is not None:
        run.progressed.connect(progressCallback)
    run.start()
    if not waitForCompletion:
        return run
    run.silent.connect(_lossWatcher())
    run.wait()
    if run.state is JobState.CANCELLED:
        raise Cancelled("The job was cancelled. The scene is unchanged.")
    if run.state is JobState.FAILED:
        raise RuntimeError(f"{run.failure.message} {run.failure.what_to_do}")
    return run.outputVolume
