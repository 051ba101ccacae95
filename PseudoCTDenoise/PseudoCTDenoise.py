"""PseudoCTDenoise: what Slicer sees of the module. The work is done in PseudoCTDenoiseLib."""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Union

import numpy as np
import slicer
import vtk
from PseudoCTDenoiseLib.denoising.presets import OWN_OUTPUT, preset_settings
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled
from PseudoCTDenoiseLib.models.catalog import denoiser_names
from PseudoCTDenoiseLib.panel.choices import Device, Ensemble, NoiseSign, NoiseSource, Preset
from PseudoCTDenoiseLib.panel.compare_panel import ComparePanel
from PseudoCTDenoiseLib.panel.device_panel import DevicePanel, Subject
from PseudoCTDenoiseLib.panel.environment_panel import EnvironmentPanel, Problem
from PseudoCTDenoiseLib.panel.input_panel import InputCheck
from PseudoCTDenoiseLib.panel.measure_panel import MeasurePanel
from PseudoCTDenoiseLib.panel.run_control import RunControl
from PseudoCTDenoiseLib.panel.run_panel import RunPanel
from PseudoCTDenoiseLib.scene import measurements, provenance, results
from PseudoCTDenoiseLib.scene.comparison_layouts import registerLayouts
from PseudoCTDenoiseLib.scene.ct_input import sliceAxis
from PseudoCTDenoiseLib.scene.denoising_run import DenoisingRun, Request, checkedRange
from PseudoCTDenoiseLib.scene.results import Outputs
from PseudoCTDenoiseLib.scene.side_by_side import SideBySide
from PseudoCTDenoiseLib.worker.device_check import DeviceCheck
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

OLDEST_SLICER = (5, 10)
TORCH_REQUIREMENT = ">=2.6"
PHANTOM_SHA256 = "80c899a669ba8037ad11b836da7ba97e87c3bd494f394467efaabd88f8a68019"


class PseudoCTDenoise(ScriptedLoadableModule):
    """The module's entry in Slicer's menu."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Pseudo-CT Denoise")
        self.parent.categories = ["Filtering.Denoising"]
        self.parent.dependencies = []
        self.parent.contributors = ["PseudoCTDenoise contributors"]
        self.parent.helpText = _(
            "Denoises low-dose CT. A background process tunes a pre-trained network on the scan "
            "itself, without a normal-dose reference, and puts the denoised volume and the noise "
            "maps into the scene. Research use only, not for primary diagnosis."
        )
        self.parent.acknowledgementText = _(
            "After D. Won, E. Jung, S. An, P. Chikontwe, S. H. Park: Self-Supervised Learning "
            "based CT Denoising using Pseudo-CT Image Pairs, arXiv 2104.02326."
        )
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """What has to be known before a panel is opened: sample data, and layouts of saved scenes."""
    import SampleData

    resources = Path(__file__).parent / "Resources"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="PseudoCTDenoise",
        sampleName="PseudoCTDenoisePhantom",
        thumbnailFileName=str(resources / "Icons" / "PseudoCTDenoise.png"),
        uris=(resources / "SampleData" / "PseudoCTDenoise_phantom_ldct.nrrd").as_uri(),
        fileNames="PseudoCTDenoise_phantom_ldct.nrrd",
        nodeNames="Low-dose CT phantom",
        loadFileType="VolumeFile",
        checksums=f"SHA256:{PHANTOM_SHA256}",  # or one of an earlier version comes from the cache
    )
    registerLayouts()


Region = Union[  # noqa: UP007 the wrapper knows no other spelling
    slicer.vtkMRMLMarkupsROINode, slicer.vtkMRMLMarkupsClosedCurveNode, None
]


@parameterNodeWrapper
class PseudoCTDenoiseParameterNode:
    """The user's choices. What a running job does is never kept here."""

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    outputVolume: slicer.vtkMRMLScalarVolumeNode
    makeNoiseMap: bool = True
    makePseudoLdct: bool = True
    makeModelMaps: bool = False
    makeRemovedNoise: bool = False
    preset: Preset = Preset.STANDARD
    model: str = "fast"
    strength: Annotated[float, WithinRange(0, 100)] = 100.0
    steps: Annotated[int, WithinRange(0, 5000)] = 120
    averageOrientations: bool = True
    noiseSource: NoiseSource = NoiseSource.SIMULATOR
    ensemble: Ensemble = Ensemble.PIXEL
    noiseSign: NoiseSign = NoiseSign.RANDOM
    updatePeriod: Annotated[int, WithinRange(0, 5000)] = 0
    seed: Annotated[int, Minimum(0)] = 0
    firstSlice: Annotated[int, Minimum(1)] = 1
    lastSlice: Annotated[int, Minimum(0)] = 0
    device: Device = Device.AUTO
    region: Region
    background: Region


class PseudoCTDenoiseWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel: connects its parts with the parameter node, the logic and the scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._inputCheck = InputCheck()
        self._advice = ""

    # ------------------------------------------------------------ Slicer's template

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/PseudoCTDenoise.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = PseudoCTDenoiseLogic()
        registerLayouts()
        for name in denoiser_names():
            self.ui.modelComboBox.addItem(name)

        ui, logic = self.ui, self.logic
        self.runPanel = RunPanel(ui)
        self.environmentPanel = EnvironmentPanel(
            ui, logic.environmentProblem, logic.setupEnvironment, self._checkCanApply
        )
        self.devicePanel = DevicePanel(ui, lambda subject: logic.deviceCheck(*subject))
        self.comparePanel = ComparePanel(ui, logic.comparison, slicer.util.errorDisplay)
        self.measurePanel = MeasurePanel(ui, self.comparePanel, slicer.util.errorDisplay)
        self.runControl = RunControl(
            self.runPanel, self.comparePanel, logic.comparison, self._onEnded
        )

        ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        ui.strengthSlider.connect("valueChanged(double)", self.onStrength)
        ui.presetComboBox.connect("activated(int)", self.onPreset)
        ui.modelComboBox.connect("currentIndexChanged(int)", self.onModel)
        ui.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInput)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onOutput)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self):
        self.runControl.cleanup()
        self.devicePanel.cleanup()
        self.comparePanel.cleanup()
        self.logic.comparison.clear()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self):
        self.environmentPanel.refresh()
        self.initializeParameterNode()

    def exit(self):
        """A running job goes on; only the panel's tie to the parameter node is cut."""
        self._unbind()

    def onReload(self):
        """Forget the library too, so that its files are read anew."""
        for name in [n for n in sys.modules if n.split(".")[0] == "PseudoCTDenoiseLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)
        self.logic.comparison.restore()

    def onSceneEndClose(self, caller, event):
        self._inputCheck.forget()
        self.comparePanel.setOutput(None)
        self.measurePanel.setOutput(None)
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event):
        """A loaded scene brings its own choices and results."""
        self.setParameterNode(None)
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameterNode.inputVolume:
            self._parameterNode.inputVolume = next(
                (
                    volume
                    for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
                    if volume.GetClassName() == "vtkMRMLScalarVolumeNode"
                    and not volume.GetHideFromEditors()
                    and not provenance.isDerived(volume)
                ),
                None,
            )

    def setParameterNode(self, parameterNode):
        self._unbind()
        self._parameterNode = parameterNode
        if parameterNode is not None:
            # Not connectGui, which in Slicer before 5.12 forgets to return the tag.
            bound = {w.property("SlicerParameterName"): w for w in vars(self.ui).values()}
            bound.pop(None, None)
            self._parameterNodeGuiTag = parameterNode.connectParametersToGui(bound)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self._checkCanApply)
            self.ui.modelComboBox.setCurrentText(parameterNode.model)
            self.onOutput()
            self._checkCanApply()

    def _unbind(self):
        if self._parameterNodeGuiTag is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._checkCanApply
            )

    def _checkCanApply(self, caller=None, event=None):
        if self._parameterNode is None or self.runPanel.running:
            return
        problem, warning = self._inputCheck.look(self._parameterNode.inputVolume)
        if problem is None:
            problem = self._rangeProblem()
        if self.environmentPanel.problem is not None:
            problem = self.environmentPanel.problem.text
        ready = problem is None
        advice = problem or warning or _("Ready")
        self.runPanel.setReady(ready, advice)
        if advice != self._advice:  # else what the last job came to stays readable
            self.runPanel.setStatus(advice)
            self._advice = advice
        self._showEstimate(ready)

    def onApplyButton(self):
        if self.runPanel.running:
            self.runControl.cancel()
            return
        node = self._parameterNode
        if not self._mayReplace(node.outputVolume, node.inputVolume):
            return
        with slicer.util.tryWithErrorDisplay(_("Denoising could not start."), waitCursor=True):
            run = self.logic.process(
                node.inputVolume,
                node.outputVolume,
                preset=node.preset.value,
                model=node.model,
                strength=node.strength,
                sliceRange=self._sliceRange(),
                outputs=self._outputs(),
                waitForCompletion=False,
                preview=True,
                previewSlice=self.runControl.sliceOnScreen(
                    node.inputVolume, sliceAxis(node.inputVolume)
                ),
                start=False,
                **self._settings(),
            )
            self.runControl.start(run)

    def _mayReplace(self, output, inputVolume):
        """Ask before a volume is overwritten that is no earlier result of the same input."""
        if output is None or output.GetImageData() is None or _isResultOf(output, inputVolume):
            return True
        return slicer.util.confirmOkCancelDisplay(
            _("{output} holds an image that is no result of {input}. Replace it?").format(
                output=output.GetName(), input=inputVolume.GetName()
            )
        )

    def _onEnded(self, output):
        """The end of a job, also while another module is open."""
        if output is not None:
            node = self._parameterNode or self.logic.getParameterNode()
            strength = node.strength  # as the slider is now
            node.outputVolume = output
            self._setResult(output)
            self._applyStrength(output, strength)
        self._checkCanApply()

    # ------------------------------------------------------------ what the user chooses

    def onPreset(self, index=None):
        """A preset sets the advanced options."""
        node = self._parameterNode
        settings = preset_settings(node.preset.value)
        node.steps = settings["steps"]
        node.averageOrientations = settings["orientations"] != 1
        node.noiseSource = NoiseSource(settings["noise_source"])
        node.ensemble = Ensemble(settings["ensemble"])
        node.noiseSign = NoiseSign(settings["noise_sign"])
        node.updatePeriod = settings["update_period"] or 0

    def onModel(self, index=None):
        if self._parameterNode is not None and self.ui.modelComboBox.currentText:
            self._parameterNode.model = self.ui.modelComboBox.currentText

    def onInput(self, node=None):
        """Another scan was chosen: the result of the former one is not to be overwritten."""
        if self._parameterNode is None:
            return
        chosen, output = self.ui.inputSelector.currentNode(), self._parameterNode.outputVolume
        self._parameterNode.inputVolume = chosen
        if chosen is not None and provenance.isResult(output) and not _isResultOf(output, chosen):
            self._parameterNode.outputVolume = None

    def onStrength(self, value):
        output = self._parameterNode.outputVolume if self._parameterNode else None
        if provenance.isResult(output) and not self.runControl.fills(output):
            self._applyStrength(output, value)

    def _applyStrength(self, output, value):
        recorded = float(output.GetAttribute(provenance.STRENGTH))
        if round(recorded) == round(value):
            return  # the slider has whole percents, a script may have set others
        try:
            self.logic.applyStrength(output, value)
        except BadInputError as error:
            self.runPanel.setStatus(str(error))
        self._showStrength(output)

    def onOutput(self, node=None):
        """Another result was chosen: the controls show what it is."""
        if self._parameterNode is not None:
            output = self.ui.outputSelector.currentNode()
            # Known there before the strength is, which else would be that of the former one.
            self._parameterNode.outputVolume = output
            self._setResult(output)

    def _setResult(self, output):
        self.removeObservers(self._showStrength)
        result = output if provenance.isResult(output) else None
        self.comparePanel.setOutput(result)
        self.measurePanel.setOutput(result)
        if result is not None:
            self.addObserver(result, vtk.vtkCommand.ModifiedEvent, self._showStrength)
            self._showStrength(result)

    def _showStrength(self, output, event=None):
        """The slider follows the result, whoever changed its strength."""
        if self._parameterNode is not None and not self.runControl.fills(output):
            self._parameterNode.strength = float(output.GetAttribute(provenance.STRENGTH))

    def _settings(self):
        node = self._parameterNode
        usual = preset_settings(node.preset.value)
        simulated = node.noiseSource == NoiseSource.SIMULATOR
        several = None if usual["orientations"] == 1 else usual["orientations"]
        return {
            **({} if simulated or usual["teacher"] != "scan" else OWN_OUTPUT),
            "steps": node.steps,
            "orientations": several if node.averageOrientations else 1,
            "noise_source": node.noiseSource.value,
            "ensemble": node.ensemble.value,
            "noise_sign": node.noiseSign.value,
            "update_period": node.updatePeriod or None,
            "seed": node.seed,
            "device": node.device.value,
        }

    def _outputs(self):
        node = self._parameterNode
        return Outputs(
            node.makeNoiseMap, node.makePseudoLdct, node.makeModelMaps, node.makeRemovedNoise
        )

    def _sliceRange(self):
        """First and last slice from 0; None for the whole scan."""
        node = self._parameterNode
        if node.firstSlice == 1 and node.lastSlice == 0:
            return None
        return node.firstSlice - 1, (node.lastSlice or self._sliceCount()) - 1

    def _sliceCount(self):
        volume = self._parameterNode.inputVolume
        return volume.GetImageData().GetDimensions()[sliceAxis(volume)]

    def _rangeProblem(self):
        try:
            checkedRange(self._sliceRange(), self._sliceCount())
        except BadInputError as error:
            return str(error)
        return None

    def _showEstimate(self, ready):
        if not ready:
            self.devicePanel.setNoJob()
            return
        node = self._parameterNode
        size = list(node.inputVolume.GetImageData().GetDimensions())
        slices = size.pop(sliceAxis(node.inputVolume))
        columns, rows = size
        subject = Subject(node.device.value, node.model, rows, columns)
        settings = {**preset_settings(node.preset.value), **self._settings()}
        first, last = checkedRange(self._sliceRange(), slices)
        wantNoise = self._outputs().needsNoiseModels
        self.devicePanel.setJob(subject, settings, last - first + 1, wantNoise)


def _isResultOf(output, inputVolume):
    made = output.GetNodeReference(provenance.INPUT) if provenance.isResult(output) else None
    return made is not None and made.GetID() == inputVolume.GetID()


class PseudoCTDenoiseLogic(ScriptedLoadableModuleLogic):
    """Everything that the panel can do, for scripts.

    >>> logic = slicer.util.getModuleLogic("PseudoCTDenoise")
    >>> denoised = logic.process(slicer.util.getNode("CT"))
    >>> logic.showSideBySide(denoised)
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.comparison = SideBySide()

    def getParameterNode(self):
        return PseudoCTDenoiseParameterNode(super().getParameterNode())

    def process(
        self,
        inputVolume,
        outputVolume=None,
        *,
        preset="standard",
        model="fast",
        strength=100.0,
        sliceRange=None,
        outputs=None,
        waitForCompletion=True,
        progressCallback=None,
        preview=False,
        previewSlice=None,
        start=True,
        **settings,
    ):
        """Denoise a CT volume in a background process.

        Parameters
        ----------
        inputVolume : scalar volume node with a CT in HU; only read.
        outputVolume : node for the result; None makes a new one.
        preset : "quick", "standard", "thorough" or "paper"; ``settings`` change single settings of
            it by the engine's names (``steps=50``, ``seed=1``, ``device="cpu"``).
        strength : 0 to 100 %.
        sliceRange : first and last slice, from 0; None for all.
        outputs : :class:`.Outputs`, which further nodes to make.
        waitForCompletion : False returns at once.
        progressCallback : called with each progress report (stage, step, total, seconds_left);
            what it raises while the job is waited for cancels the job and is raised here.
        preview : a slice of the unfinished result comes every few seconds (``previewSlice``, from
            0, or the one with most tissue).
        start : False gives a handle that is not started yet, to connect to first.

        Returns
        -------
        The denoised volume's node; without waiting, the :class:`.DenoisingRun`.

        Raises
        ------
        BadInputError
            If the input cannot be denoised; the text says why, and what to do.
        RuntimeError
            If the background process failed.
        Cancelled
            If the job was cancelled while it was waited for.
        """
        request = Request(
            inputVolume,
            outputVolume,
            model,
            {**preset_settings(preset), **settings},
            outputs or Outputs(),
            strength,
            sliceRange,
        )
        if waitForCompletion:
            run = DenoisingRun(request, SubprocessRunner())
        else:
            from PseudoCTDenoiseLib.worker.qprocess_runner import QProcessRunner

            run = DenoisingRun(
                request, QProcessRunner(), preview=preview, previewSlice=previewSlice
            )
        if progressCallback is not None:
            run.progressed.connect(progressCallback)
        if not waitForCompletion:
            if start:
                run.start()
            return run
        run.start()
        run.wait()
        if run.state is JobState.CANCELLED:
            raise Cancelled("The job was cancelled; the scene is as it was.")
        if run.state is JobState.FAILED:
            raise RuntimeError(f"{run.failure.message} {run.failure.whatToDo}")
        return run.outputVolume

    def applyStrength(self, outputVolume, strength):
        """Show a finished result at another strength, 0 to 100 %, at once."""
        results.applyStrength(outputVolume, strength)

    def showSideBySide(self, outputVolume, withNoise=False):
        """Show a result beside its input, on demand with its noise map."""
        original = results.originalOf(outputVolume)
        noise = outputVolume.GetNodeReference(provenance.NOISE_MAP) if withNoise else None
        self.comparison.show(original, outputVolume, noise)

    def measure(self, outputVolume, region, background=None, tableNode=None):
        """Mean, standard deviation and contrast-to-noise ratio in a region, as a table node."""
        original = results.originalOf(outputVolume)
        return measurements.measure(original, outputVolume, region, background, tableNode)

    def deviceCheck(self, device="auto", model="fast", rows=512, columns=512):
        """A check, not yet started, of what a job would run on and how fast."""
        from PseudoCTDenoiseLib.worker.qprocess_runner import QProcessRunner

        return DeviceCheck(QProcessRunner(), rows, columns, deviceName=device, model=model)

    def environmentProblem(self):
        """What is missing before anything can be denoised, a :class:`.Problem`; None if nothing."""
        from packaging.specifiers import SpecifierSet

        version = (slicer.app.majorVersion, slicer.app.minorVersion)
        if version < OLDEST_SLICER:
            text = _("This module needs Slicer {wanted} or newer; this is {found}.").format(
                wanted="{}.{}".format(*OLDEST_SLICER), found="{}.{}".format(*version)
            )
            return Problem(text, mended=False)
        if importlib.util.find_spec("torch") is None:
            text = _(
                "PyTorch is not installed. It is what the network runs on: click Install PyTorch "
                "to get it through the PyTorch extension. Everything else is there already."
            )
            return Problem(text, mended=True)
        try:
            found = importlib.metadata.version("torch")
        except importlib.metadata.PackageNotFoundError:  # built by hand: nobody says what it is
            return None
        if not SpecifierSet(TORCH_REQUIREMENT).contains(found, prereleases=True):
            text = _(
                "PyTorch {found} is there, and this module needs {wanted}: click Install PyTorch "
                "to get it through the PyTorch extension."
            ).format(found=found, wanted=TORCH_REQUIREMENT)
            return Problem(text, mended=True)
        return None

    def setupEnvironment(self):
        """Install what is missing through the PyTorch extension, after asking.

        Raises
        ------
        RuntimeError
            If the PyTorch extension is not installed, or the installation failed.
        """
        try:
            import PyTorchUtils
        except ModuleNotFoundError as error:
            raise RuntimeError(
                _(
                    "The PyTorch extension is missing: install it in the Extensions Manager, "
                    "restart Slicer, and try again."
                )
            ) from error
        PyTorchUtils.PyTorchUtilsLogic().installTorch(
            askConfirmation=True, torchVersionRequirement=TORCH_REQUIREMENT
        )
        importlib.invalidate_caches()


class PseudoCTDenoiseTest(ScriptedLoadableModuleTest):
    """Runs in a real Slicer, and on the sample data."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_DenoisesTheSampleData()

    def test_DenoisesTheSampleData(self):
        self.delayDisplay("Denoising the phantom")
        phantom = (
            Path(slicer.util.modulePath("PseudoCTDenoise")).parent
            / "Resources/SampleData/PseudoCTDenoise_phantom_ldct.nrrd"
        )
        volume = slicer.util.loadVolume(str(phantom))
        before = slicer.util.arrayFromVolume(volume).copy()
        logic = PseudoCTDenoiseLogic()
        self.assertEqual(sliceAxis(volume), 2)
        problem = logic.environmentProblem()
        if problem:  # machines that build extensions have no torch
            self.delayDisplay(problem.text)
            return
        denoised = logic.process(volume, preset="quick")
        after = slicer.util.arrayFromVolume(denoised)
        self.assertTrue((slicer.util.arrayFromVolume(volume) == before).all())
        self.assertEqual(after.shape, before.shape)
        self.assertLess(abs(after.mean() - before.mean()), 2.0)
        noise = [np.abs(np.diff(hu, axis=2)).mean() for hu in (before, after)]
        self.assertLess(noise[1], 0.8 * noise[0])
        logic.applyStrength(denoised, 0)
        self.assertTrue((slicer.util.arrayFromVolume(denoised) == before).all())
        logic.showSideBySide(denoised)
        self.delayDisplay("Passed")
