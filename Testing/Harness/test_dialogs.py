"""Dialogs are kept, answered by the test, and never block."""

import pytest


@pytest.fixture
def dialogs(slicerApp, scene):
    return slicerApp.dialogs


def test_error_display_is_kept(dialogs, slicer):
    slicer.util.errorDisplay("It failed.", detailedText="why")
    (shown,) = dialogs.shown
    assert (shown.kind, shown.text, shown.detailedText) == ("critical", "It failed.", "why")


@pytest.mark.parametrize("answer", ["Ok", "Cancel"])
def test_question_is_answered_by_the_test(dialogs, slicer, answer):
    dialogs.answerWith(answer)
    assert slicer.util.confirmOkCancelDisplay("Overwrite?") is (answer == "Ok")
    assert dialogs.shown[0].answer == answer
    assert dialogs.texts() == ["Overwrite?"]


def test_static_question_is_answered_too(dialogs, qt):
    dialogs.answerWith("Yes")
    answer = qt.QMessageBox.question(None, "Title", "Sure?", qt.QMessageBox.Yes | qt.QMessageBox.No)
    assert answer == qt.QMessageBox.Yes


def test_question_nobody_answered_is_a_fault(dialogs, slicer, slicerApp):
    assert slicer.util.confirmYesNoDisplay("Delete?") is False
    (fault,) = slicerApp.takeFaults()
    assert "nobody answered the dialog: Delete?" in str(fault)


def test_answer_that_the_dialog_does_not_offer_is_a_fault(dialogs, slicer, slicerApp):
    dialogs.answerWith("Maybe")
    assert slicer.util.confirmYesNoDisplay("Delete?") is False
    (fault,) = slicerApp.takeFaults()
    assert "no button 'Maybe' in ['Yes', 'No']" in str(fault)


def test_unused_answer_fails_the_test(slicerApp):
    from SlicerHarness import fixtures

    with (
        pytest.raises(AssertionError, match="no dialog asked"),
        fixtures.noFaults(slicerApp),
    ):
        slicerApp.dialogs.answerWith("Ok")


def test_file_dialog_gives_the_path_alone(dialogs, qt):
    dialogs.answerWith("/data/scan.nrrd")
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "*.nrrd") == "/data/scan.nrrd"


def test_dialog_of_a_module_is_given_to_the_test(dialogs, qt):
    dialog = qt.QDialog()
    column = qt.QVBoxLayout(dialog)
    button = qt.QPushButton("Accept", dialog)
    button.clicked.connect(dialog.accept)
    column.addWidget(button)
    dialogs.answerWith(lambda shown: button.click())
    assert dialog.exec_() == qt.QDialog.Accepted


def test_exception_shown_to_the_user(dialogs, slicer):
    with (
        pytest.raises(RuntimeError),
        slicer.util.tryWithErrorDisplay("Denoising could not start.", waitCursor=True),
    ):
        raise RuntimeError("no scan")
    assert "Denoising could not start." in dialogs.texts()[0]
    assert "no scan" in dialogs.texts()[0]
    assert slicer.app.overrideCursor() is None


def test_in_testing_mode_slicer_asks_nothing(dialogs, slicer, slicerApp):
    slicerApp.setTestingEnabled(True)
    slicer.util.confirmOkCancelDisplay("Overwrite?")
    assert dialogs.shown == []
