"""PythonQt's rules for signals, and what becomes of exceptions in slots."""

from __future__ import annotations

import pytest
from SlicerHarness import fixtures


def test_both_ways_to_connect(qt):
    button, calls = qt.QPushButton(), []
    button.connect("clicked(bool)", lambda checked: calls.append(("string", checked)))
    button.clicked.connect(lambda: calls.append("attribute"))
    button.click()
    assert calls == [("string", False), "attribute"]


def test_slot_gets_the_arguments_that_it_takes(qt):
    box, calls = qt.QSpinBox(), []
    box.connect("valueChanged(int)", lambda: calls.append("none"))
    box.connect("valueChanged(int)", lambda value, second="default": calls.append((value, second)))
    box.connect("valueChanged(int)", lambda *values: calls.append(values))
    box.value = 5
    assert calls == ["none", (5, "default"), (5,)]


def test_signature_without_arguments_hands_none_over(qt):
    button, calls = qt.QPushButton(), []
    button.connect("clicked()", lambda checked="default": calls.append(checked))
    button.click()
    assert calls == ["default"]


@pytest.mark.parametrize("signature", ["clickd()", "clicked(int)", "click()", "text"])
def test_signal_that_the_class_does_not_have_is_refused(qt, signature):
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect(signature, print)


def test_disconnect_takes_one_slot_away(qt):
    button, calls = qt.QPushButton(), []

    def first():
        calls.append("first")

    def second():
        calls.append("second")

    button.connect("clicked()", first)
    button.connect("clicked()", second)
    assert button.disconnect("clicked()", first) is True
    button.click()
    assert calls == ["second"]
    assert button.disconnect("clicked()", first) is False


def test_signal_connects_to_a_slot_and_to_a_signal_of_qt(qt):
    box, label, other = qt.QSpinBox(), qt.QProgressBar(), qt.QSpinBox()
    values = []
    other.valueChanged.connect(values.append)
    box.valueChanged.connect(label.setValue)
    box.valueChanged.connect(other.valueChanged)
    box.value = 5
    assert label.value == 5
    assert values == [5]
    assert box.valueChanged.disconnect(label.setValue)
    assert box.valueChanged.disconnect(other.valueChanged)
    box.value = 6
    assert label.value == 5
    assert values == [5]


def test_overload_of_a_stand_in_is_chosen_by_its_signature(slicer):
    selector, nodes, found = slicer.qMRMLNodeComboBox(), [], []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", nodes.append)
    selector.connect("currentNodeChanged(bool)", found.append)
    with pytest.raises(ValueError, match="no signal"):
        selector.connect("currentNodeChanged(QString)", print)
    node = selector.addNode()
    assert nodes == [node]
    assert found == [True]


def test_blocked_signals_stay_silent(qt):
    box, values = qt.QSpinBox(), []
    box.valueChanged.connect(values.append)
    former = box.blockSignals(True)
    box.value = 5
    box.blockSignals(former)
    assert values == []


def _break(*unused):
    raise ZeroDivisionError("on purpose")


def test_exception_in_a_slot_is_kept(slicerApp, qt):
    button = qt.QPushButton()
    button.clicked.connect(_break)
    button.click()
    assert [type(fault) for fault in slicerApp.takeFaults()] == [ZeroDivisionError]


def test_exception_in_an_observer_is_kept(slicerApp, scene):
    import vtk

    observed = vtk.vtkObject()
    observed.AddObserver("ModifiedEvent", _break)
    observed.Modified()
    assert [type(fault) for fault in slicerApp.takeFaults()] == [ZeroDivisionError]


def test_exception_in_an_event_handler_is_kept(slicerApp, qt):
    class Area(qt.QWidget):
        def resizeEvent(self, event):
            _break()

    area = Area()
    area.show()
    slicerApp.processEvents()
    assert {type(fault) for fault in slicerApp.takeFaults()} == {ZeroDivisionError}


def test_fault_fails_the_test_that_caused_it(slicerApp):
    import qt

    with (
        pytest.raises(pytest.fail.Exception, match="on purpose"),
        fixtures.noFaults(slicerApp),
    ):
        button = qt.QPushButton()
        button.clicked.connect(_break)
        button.click()
