"""Waiting for what takes its time."""

import pytest


def test_wait_ends_with_the_condition(user, qt):
    done = []
    qt.QTimer.singleShot(0, lambda: done.append("value"))
    assert user.waitUntil(lambda: done and done[0], 10) == "value"


def test_wait_in_vain_fails_in_words(user, scene):
    with pytest.raises(AssertionError, match="waited 0 s for the end"):
        user.waitUntil(lambda: False, 0, "the end")


def test_typed_text_replaces_what_was_there(user, qt):
    edit, ended = qt.QLineEdit("before"), []
    edit.returnPressed.connect(lambda: ended.append(edit.text))
    edit.show()
    user.enterText(edit, "after")
    assert ended == ["after"]


def test_keys_with_a_modifier(user, qt):
    edit = qt.QLineEdit("any text")
    edit.show()
    user.pressKey(edit, "A", "Control")
    assert edit.selectedText == "any text"
    user.pressKey(edit, "Delete")
    assert edit.text == ""


def test_choice_that_is_not_there_is_refused(user, qt):
    box = qt.QComboBox()
    box.addItems(["soft", "sharp"])
    box.show()
    with pytest.raises(AssertionError, match="no entry 'medium' in"):
        user.choose(box, "medium")
    user.choose(box, "sharp")
    assert box.currentText == "sharp"


def test_check_box_is_clicked_at_its_box(user, qt):
    box = qt.QCheckBox("a long text beside the box")
    box.resize(600, 30)
    box.show()
    user.click(box)
    assert box.checked is True
