"""The module's panel: connects its parts with the parameter node, the logic and the scene."""

from __future__ import annotations

import sys

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from ..scene import provenance
from ..scene.loaded_scenes import stopWatching, watchScenes
from ..scene.logic import PseudoCTDenoiseLogic
from ..scene.parameter_node import applyPreset
from ..scene.result_cleanup import ResultCleanup
from ..scene.user_defaults import forgetDefaults, saveDefaults
from .compare_panel import ComparePanel
from .deferred_views import DeferredViews
from .device_panel import DevicePanel
from .environment_panel import EnvironmentPanel
from .job_start import JobStart
from .measure_panel import MeasurePanel
from .model_list import addModels
from .node_selectors import NodeSelectors
from .observed_node import ObservedNode
from .result_selection import ResultSelection
from .run_control import RunControl
from .run_panel import RunPanel
from .sequence_control import SequenceControl


class PseudoCTDenoiseWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel, with the methods that Slicer expects of a scripted module's widget."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._keptChoices = {}

    def setup(self):
        """Load the user interface and create the parts of the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/PseudoCTDenoise.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = PseudoCTDenoiseLogic()
        watchScenes()
        addModels(self.ui.modelComboBox)

        ui, logic = self.ui, self.logic
        self.nodeSelectors = NodeSelectors(ui)
        self.runPanel = RunPanel(ui)
        self.environmentPanel = EnvironmentPanel(
            ui, logic.environmentProblem, logic.setupEnvironment, lambda: self.jobStart.refresh()
        )
        self.devicePanel = DevicePanel(ui, lambda speedKey: logic.deviceCheck(*speedKey))
        self.comparePanel = ComparePanel(ui, logic.comparison, slicer.util.errorDisplay)
        self.measurePanel = MeasurePanel(ui, self.comparePanel, slicer.util.errorDisplay)
        self.deferredViews = DeferredViews(lambda: self.parent.isEntered)
        self.runControl = RunControl(
            self.runPanel,
            self.comparePanel,
            logic.comparison,
            self.deferredViews,
            self._onJobEnded,
        )
        self.sequenceControl = SequenceControl(
            self.runPanel, logic.comparison, self.deferredViews, lambda: self.jobStart.refresh()
        )
        self.jobStart = JobStart(
            ui,
            logic,
            self.runPanel,
            self.runControl,
            self.sequenceControl,
            self.devicePanel,
            self.environmentPanel,
        )
        self.resultSelection = ResultSelection(
            ui,
            self.comparePanel,
            self.measurePanel,
            logic.applyStrength,
            self.runControl.replaces,
            self.runPanel.setStatus,
        )

        self.resultCleanup = ResultCleanup()
        self._choices = ObservedNode(self.jobStart.refresh)
        ui.presetComboBox.connect("activated(int)", self.onPreset)
        ui.modelComboBox.connect("currentIndexChanged(int)", self.onModel)
        ui.saveDefaultsButton.connect("clicked()", self.onSaveDefaults)
        ui.forgetDefaultsButton.connect("clicked()", self.onForgetDefaults)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(
            slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport
        )
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        logic.comparison.adopted.connect(self.onViewsAdopted)
        self.initializeParameterNode()

    def cleanup(self):
        """Cancel a running job and disconnect from the scene."""
        self.runControl.cleanup()
        self.sequenceControl.cleanup()
        self.devicePanel.cleanup()
        self.comparePanel.cleanup()
        stopWatching()
        self.logic.comparison.adopted.disconnect(self.onViewsAdopted)
        self.logic.comparison.clear()
        self.setParameterNode(None)
        self.resultSelection.clear()
        self.nodeSelectors.cleanup()
        self.resultCleanup.stop()
        self.removeObservers()

    def enter(self):
        """Connect to the parameter node again."""
        self.environmentPanel.refresh()
        self.initializeParameterNode()
        self.deferredViews.onEnter()

    def exit(self):
        """Disconnect from the parameter node; a running job continues.

        The selectors still follow the scene. What they choose while another module is open is not
        the user's choice and must not be stored.
        """
        self._unbind()
        self.resultSelection.parameterNode = None

    def onReload(self):
        """Reload the library together with the module."""
        for name in [n for n in sys.modules if n.split(".")[0] == "PseudoCTDenoiseLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event):
        """Release the nodes of a scene that is about to close."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        """Start again with the empty scene."""
        self.deferredViews.forget()
        self.comparePanel.endPreview()  # its end may have been waiting
        self.jobStart.forgetInput()
        self.resultSelection.clear()
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneStartImport(self, caller, event):
        """Keep the choices of a user who adds a scene to one with a selected volume.

        The scene that is added may hold choices of its own, and the selectors select nothing
        after an import.
        """
        choices = self._parameterNode
        if choices is not None and (choices.inputVolume or choices.outputVolume):
            self._keptChoices = {name: choices.getValue(name) for name in choices.allParameters}
        self.setParameterNode(None)

    def onSceneEndImport(self, caller, event):
        """Show the results of the scene, and the user's choices or those of a loaded scene."""
        self.nodeSelectors.refresh()
        parameterNode = self.logic.getParameterNode()
        for name, value in self._keptChoices.items():
            parameterNode.setValue(name, value)
        self._keptChoices = {}
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onViewsAdopted(self):
        """Show the selected result in views that Slicer has restored or loaded with a scene."""
        if self.parent.isEntered:
            self.comparePanel.showSelected()

    def initializeParameterNode(self):
        """Connect to the scene's parameter node, and select the first CT as the input."""
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
        """Connect the controls with a parameter node; None disconnects them."""
        self._unbind()
        self._parameterNode = parameterNode
        self.resultSelection.parameterNode = parameterNode
        self.jobStart.parameterNode = parameterNode
        if parameterNode is not None:
            bound = {w.property("SlicerParameterName"): w for w in vars(self.ui).values()}
            bound.pop(None, None)
            self._parameterNodeGuiTag = parameterNode.connectParametersToGui(bound)
            self._choices.observe(parameterNode)
            missing = self._selectModel(parameterNode)
            # The selector does not list the derived volume that a scene may have as its input.
            parameterNode.inputVolume = self.ui.inputSelector.currentNode()
            self.resultSelection.onOutput()
            self.jobStart.refresh()
            if missing:
                self.runPanel.setStatus(missing)

    def _selectModel(self, parameterNode) -> str:
        """Select the model of a parameter node, or return a sentence on another one instead."""
        models, wanted = self.ui.modelComboBox, parameterNode.model
        if models.findText(wanted) >= 0 or not models.currentText:
            models.setCurrentText(wanted)
            return ""
        parameterNode.model = models.currentText
        return _("The model {wanted} is missing, so {shown} is selected. Check the model.").format(
            wanted=wanted, shown=models.currentText
        )

    def onPreset(self, index=None):
        """Set the advanced options to those of the chosen preset."""
        applyPreset(self._parameterNode)

    def onModel(self, index=None):
        """Store the chosen model."""
        if self._parameterNode is not None and self.ui.modelComboBox.currentText:
            self._parameterNode.model = self.ui.modelComboBox.currentText

    def onSaveDefaults(self):
        """Save the current choices as the user's defaults."""
        saveDefaults(self._parameterNode)
        self.runPanel.setStatus(
            _("Saved. New scenes start with this preset, strength, device and these volumes.")
        )

    def onForgetDefaults(self):
        """Forget the user's defaults; the current choices stay."""
        forgetDefaults()
        self.runPanel.setStatus(_("New scenes start with the defaults of the module again."))

    def _unbind(self):
        if self._parameterNodeGuiTag is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self._choices.observe(None)

    def _onJobEnded(self, output):
        """Select the new result, even while another module is open."""
        if output is not None:
            node = self._parameterNode or self.logic.getParameterNode()
            self.resultSelection.showNewResult(node, output)
        else:
            self.resultSelection.onOutput()  # the slider may have been moved for the job
        self.jobStart.refresh()
