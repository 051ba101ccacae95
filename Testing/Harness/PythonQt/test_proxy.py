"""PythonQt's rules for objects: properties are attributes, unknown names are rejected."""

from __future__ import annotations

import gc

import pytest


def test_property_is_an_attribute_and_no_method(qt):
    button = qt.QPushButton("Start")
    assert button.text == "Start"
    assert button.enabled is True
    button.text = "Stop"
    assert button.text == "Stop"
    with pytest.raises(TypeError, match="not callable"):
        button.text()


def test_setters_are_methods(qt):
    button = qt.QPushButton()
    button.setText("Stop")
    assert button.text == "Stop"
    with pytest.raises(AttributeError, match="can not be overwritten"):
        button.setText = "Stop"


def test_name_is_an_alias_of_object_name(qt):
    button = qt.QPushButton()
    button.name = "start"
    assert button.objectName == "start"


@pytest.mark.parametrize("name", ["colour", "_q_", "textChanged"])
def test_name_that_qt_does_not_have_is_refused(qt, name):
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match=name):
        getattr(button, name)
    with pytest.raises(AttributeError, match="creating new attributes"):
        setattr(button, name, 1)


def test_read_only_property_is_not_written(qt):
    with pytest.raises(AttributeError, match="not writable"):
        qt.QComboBox().count = 3


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        ("QProcess", "failChildProcessModifier"),
        ("QProcess", "connectNotify"),
        ("QCheckBox", "checkStateChanged"),
    ],
)
def test_what_only_pyside_or_qt6_has_is_hidden(qt, cls, name):
    instance = getattr(qt, cls)()
    with pytest.raises(AttributeError, match=name):
        getattr(instance, name)


def test_class_that_is_not_listed_is_refused(qt, ctk, slicer):
    with pytest.raises(AttributeError, match="QNoSuchClass"):
        _ = qt.QNoSuchClass
    with pytest.raises(AttributeError, match="ctkNoSuchWidget"):
        _ = ctk.ctkNoSuchWidget
    with pytest.raises(AttributeError, match="qMRMLNoSuchWidget"):
        _ = slicer.qMRMLNoSuchWidget


def test_stand_in_shows_nothing_that_its_model_lacks(slicer):
    selector = slicer.qMRMLNodeComboBox()
    for name in ("_combo", "currentNodeChangedBool", "currentText"):
        with pytest.raises(AttributeError):
            getattr(selector, name)


def test_stand_in_says_what_it_does_not_imitate_yet(slicer):
    with pytest.raises(NotImplementedError, match="addMenuAction"):
        slicer.qMRMLNodeComboBox().addMenuAction(None)


def test_dynamic_property_is_an_attribute(qt):
    label = qt.QLabel()
    label.setProperty("SlicerParameterName", "strength")
    assert label.property("SlicerParameterName") == "strength"
    assert label.SlicerParameterName == "strength"
    assert label.property("never set") is None


def test_child_is_an_attribute_by_its_name(qt):
    box = qt.QWidget()
    column = qt.QVBoxLayout(box)
    button = qt.QPushButton("Start")
    button.name = "startButton"
    column.addWidget(button)
    assert box.startButton is button
    assert box.layout() is column
    assert box.findChild(qt.QPushButton, "startButton") is button
    assert box.findChildren(qt.QPushButton) == (button,)
    assert button.parent() is box


def test_connection_outlives_the_script_s_reference(qt):
    box, clicks = qt.QWidget(), []
    button = qt.QPushButton(box)
    button.name = "startButton"
    button.clicked.connect(lambda: clicks.append(1))
    del button
    gc.collect()
    box.startButton.click()
    assert clicks == [1]


def test_destroyed_object_is_refused(qt):
    button = qt.QPushButton()
    button.delete()
    with pytest.raises(ValueError, match="destroyed"):
        _ = button.text


def test_others_of_the_class_live_on_when_one_is_deleted(qt):
    other, clicks = qt.QPushButton(), []
    qt.QPushButton().delete()
    other.connect("pressed()", lambda: clicks.append(1))
    other.pressed()
    assert clicks == [1]


def test_overridden_event_handler_is_called(qt, user):
    class Area(qt.QWidget):
        def __init__(self):
            qt.QWidget.__init__(self)
            self.pressed = []

        def mousePressEvent(self, event):
            self.pressed.append(event.button())

    area = Area()
    area.show()
    user.click(area)
    assert area.pressed == [qt.Qt.LeftButton]


def test_base_implementation_is_called_through_the_class(qt, user):
    class Button(qt.QPushButton):
        def keyPressEvent(self, event):
            qt.QPushButton.keyPressEvent(self, event)

    button, clicks = Button("Start"), []
    button.clicked.connect(lambda: clicks.append(1))
    button.show()
    user.pressKey(button, "Space")
    assert clicks == [1]


def test_class_name_and_inheritance(qt, slicer):
    selector = slicer.qMRMLNodeComboBox()
    assert selector.className() == "qMRMLNodeComboBox"
    assert selector.inherits("QWidget")
    assert isinstance(selector, qt.QWidget)
    assert qt.QPushButton().className() == "QPushButton"


def test_timer_process_and_clipboard_live_behind_proxies_too(qt, slicer):
    timer, ticks = qt.QTimer(), []
    timer.singleShot = True
    timer.interval = 0
    timer.connect("timeout()", lambda: ticks.append(1))
    timer.start()
    slicer.app.processEvents()
    assert ticks == [1]
    slicer.app.clipboard().setText("copied")
    assert qt.QApplication.clipboard().text() == "copied"


def test_process_tells_its_end(qt):
    process, ends = qt.QProcess(), []
    process.connect(
        "finished(int,QProcess::ExitStatus)", lambda code, how: ends.append((code, how))
    )
    process.start("/bin/sh", ["-c", "echo hello; exit 3"])
    assert process.waitForFinished(10000)
    assert process.readAllStandardOutput().data().decode() == "hello\n"
    assert ends == [(3, qt.QProcess.NormalExit)]
    assert process.state() == qt.QProcess.NotRunning


def test_object_of_a_script_is_passed_as_its_text(qt):
    class Panel:
        def __str__(self):
            return "a panel"

    assert qt.QMenu(Panel()).title == "a panel"
    with pytest.raises(TypeError):
        qt.QProgressBar(Panel())


def test_class_without_a_stand_in_can_only_be_compared_with(ctk, slicer):
    assert type(slicer.qMRMLNodeComboBox()) not in (ctk.ctkCheckBox, slicer.qMRMLSliderWidget)
    assert ctk.ctkCheckBox is ctk.ctkCheckBox
    with pytest.raises(NotImplementedError, match="no stand-in for ctkCheckBox"):
        ctk.ctkCheckBox()
    with pytest.raises(AttributeError, match="Slicer has no 'ctkNoSuchWidget'"):
        _ = ctk.ctkNoSuchWidget
