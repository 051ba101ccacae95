"""A small scripted module, to test the harness with."""

import enum
from typing import Annotated, Union

import slicer
import vtk
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

calls = []
startups = []


class HarnessExample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "Harness Example"
        self.parent.categories = ["Testing"]
        slicer.app.connect("startupCompleted()", lambda: startups.append(self.moduleName))


class Mode(enum.Enum):
    FAST = "fast"
    FINE = "fine"

    def label(self):
        return self.value.capitalize()


@parameterNodeWrapper
class HarnessExampleParameterNode:
    volume: slicer.vtkMRMLScalarVolumeNode
    region: Union[slicer.vtkMRMLMarkupsROINode, slicer.vtkMRMLMarkupsFiducialNode, None]  # noqa: UP007
    strength: Annotated[float, WithinRange(0, 100)] = 50.0
    count: Annotated[int, WithinRange(1, 9)] = 3
    invert: bool = True
    mode: Mode = Mode.FINE


class HarnessExampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        calls.append("init")

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/HarnessExample.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = HarnessExampleLogic()
        self.node = HarnessExampleParameterNode(self.logic.getParameterNode())
        widgets = vars(self.ui).values()
        name = "SlicerParameterName"
        bound = {w.property(name): w for w in widgets if w.property(name)}
        self.tag = self.node.connectParametersToGui(bound)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(self.node, vtk.vtkCommand.ModifiedEvent, self.onModified)
        calls.append("setup")

    def enter(self):
        calls.append("enter")

    def exit(self):
        calls.append("exit")

    def cleanup(self):
        self.node.disconnectGui(self.tag)
        self.removeObservers()
        calls.append("cleanup")

    def onApply(self):
        calls.append("apply")

    def onModified(self, caller, event):
        calls.append("modified")


class HarnessExampleLogic(ScriptedLoadableModuleLogic):
    pass


class HarnessExampleTest(ScriptedLoadableModuleTest):
    def runTest(self):
        calls.append("test")
