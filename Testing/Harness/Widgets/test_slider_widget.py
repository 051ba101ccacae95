"""ctkSliderWidget: a slider and a spin box with one value."""

import pytest


@pytest.fixture
def slider(ctk):
    slider = ctk.ctkSliderWidget()
    slider.minimum, slider.maximum = -10, 10
    slider.decimals = 1
    slider.singleStep, slider.pageStep = 0.5, 2
    slider.resize(400, 30)
    slider.show()
    return slider


@pytest.fixture
def told(slider):
    values = []
    slider.connect("valueChanged(double)", values.append)
    return values


def test_value_is_told_once(slider, told):
    slider.value = 2.5
    slider.value = 2.5
    assert told == [2.5]


def test_value_stays_within_the_ends_and_its_decimals(slider):
    slider.value = 99
    assert slider.value == 10
    slider.value = 1.26
    assert slider.value == pytest.approx(1.3)
    slider.maximum = 1
    assert slider.value == 1


def test_suffix_and_spin_box(slider):
    slider.suffix = " %"
    slider.value = 2.5
    assert slider._q._spin.text() == "2.5 %"
    slider.spinBoxVisible = False
    assert not slider._q._spin.isVisible()


def test_user_types_a_value(slider, told, user):
    user.enterText(slider, "-3.5")
    assert slider.value == -3.5
    assert told[-1] == -3.5


def test_user_presses_keys(slider, user):
    handle = slider._q._slider
    user.pressKey(handle, "Right")
    assert slider.value == 0.5
    user.pressKey(handle, "PageUp")
    assert slider.value == 2.5
    user.pressKey(handle, "Home")
    assert slider.value == -10
    user.pressKey(handle, "End")
    assert slider.value == 10


def _drag(slider, user):
    handle = slider._q._slider
    y = handle.height() // 2
    user.drag(handle, (handle.width() // 2, y), (handle.width() - 1, y))


def test_user_drags(slider, told, user):
    _drag(slider, user)
    assert slider.value > 5
    assert len(told) > 1


def test_without_tracking_a_drag_tells_its_end_only(slider, told, user):
    moving = []
    slider.connect("valueIsChanging(double)", moving.append)
    slider.tracking = False
    _drag(slider, user)
    assert told == [slider.value]
    assert len(moving) > 1
