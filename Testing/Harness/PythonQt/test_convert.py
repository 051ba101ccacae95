"""PythonQt's rules for values."""

from __future__ import annotations

import pytest


def test_number_is_floored_for_an_int_property(qt):
    box = qt.QSpinBox()
    box.value = 3.7
    assert box.value == 3
    with pytest.raises(AttributeError, match="does not accept"):
        box.value = "many"


def test_everything_becomes_a_string_for_a_text_property(qt):
    label = qt.QLabel()
    label.text = 5
    assert label.text == "5"
    label.text = None  # a trap in Slicer too
    assert label.text == "None"


def test_enum_values_are_ints(qt):
    label = qt.QLabel()
    label.alignment = qt.Qt.AlignRight | qt.Qt.AlignVCenter
    assert isinstance(label.alignment, int)
    assert label.alignment & qt.Qt.AlignRight
    assert not label.alignment & qt.Qt.AlignLeft
    frame = qt.QFrame()
    frame.setFrameShape(qt.QFrame.Box)
    assert frame.frameShape == qt.QFrame.Box


def test_lists_come_out_as_tuples(qt, slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    with pytest.raises(AttributeError, match="does not accept"):
        selector.nodeTypes = "vtkMRMLScalarVolumeNode"


def test_value_class_behaves_as_its_model(qt):
    size = qt.QSize(3, 4)
    assert (size.width(), size.height()) == (3, 4)
    assert size == qt.QSize(3, 4)
    assert isinstance(size, qt.QSize)
    with pytest.raises(AttributeError, match="toTuple"):
        size.toTuple()
    with pytest.raises(AttributeError, match="cannot be set"):
        size.width = 5


def test_value_class_has_subclasses_with_attributes_of_their_own(qt):
    class Named(qt.QColor):
        def __init__(self, name):
            super().__init__(name)
            self.label = name

    named = Named("#0102fd")
    assert (named.label, named.blue()) == ("#0102fd", 253)
    assert isinstance(named, qt.QColor)
    assert named == qt.QColor(1, 2, 253)
    named.setRed(9)
    assert named.red() == 9


def test_data_of_a_combo_box_keeps_its_type(qt):
    box = qt.QComboBox()
    box.addItem("first", "vtkMRMLScalarVolumeNode1")
    box.addItem("second")
    assert box.currentData == "vtkMRMLScalarVolumeNode1"
    box.currentIndex = 1
    assert box.currentData is None
    assert box.currentText == "second"
    assert box.count == 2
