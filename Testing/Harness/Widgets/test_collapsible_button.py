"""ctkCollapsibleButton: a header that shows and hides its contents."""

import pytest


@pytest.fixture
def button(ctk, qt):
    button = ctk.ctkCollapsibleButton("Advanced")
    column = qt.QVBoxLayout(button)
    for name in ("first", "second"):
        label = qt.QLabel(name)
        label.name = name
        column.addWidget(label)
    button.resize(200, 150)
    button.show()
    return button


def test_contents_are_shown_and_hidden(button):
    assert button.collapsed is False
    assert button.first.visible
    button.collapsed = True
    assert not button.first.visible
    button.collapsed = False
    assert button.first.visible


def test_what_was_hidden_before_stays_hidden(button):
    button.second.hide()
    button.collapsed = True
    button.collapsed = False
    assert button.first.visible
    assert not button.second.visible


def test_what_is_added_while_collapsed_is_hidden(button, qt, slicerApp):
    button.collapsed = True
    label = qt.QLabel("third")
    button.layout().addWidget(label)
    label.show()
    slicerApp.processEvents()
    assert not label.visible
    button.collapsed = False
    assert label.visible


def test_collapsed_it_is_as_high_as_its_header(button):
    full = button.sizeHint.height()
    button.collapsed = True
    assert button.sizeHint.height() < full
    assert button.maximumHeight == button.sizeHint.height()


def test_user_clicks_the_header_only(button, user):
    told = []
    button.connect("contentsCollapsed(bool)", told.append)
    user.click(button)
    assert button.collapsed is True
    user.click(button)
    user.click(button, x=20, y=button.height - 3)
    assert button.collapsed is False
    assert told == [True, False]
