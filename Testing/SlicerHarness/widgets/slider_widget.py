"""ctkSliderWidget: a slider and a spin box for floating-point values."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal, Slot

from ..pythonqt.names import Native

_POSITIONS = 10000


class ctkSliderWidget(Native, QtWidgets.QWidget):
    """Without ``tracking``, a drag emits ``valueIsChanging`` and at its end ``valueChanged``."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, _POSITIONS)
        self._spin = QtWidgets.QDoubleSpinBox()
        self._spin.setRange(0.0, 99.0)
        self._tracking, self._pageStep, self._lastTold = True, 10.0, 0.0
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._spin)
        self._spin.valueChanged.connect(self._spun)
        self._slider.actionTriggered.connect(self._stepped)
        self._slider.sliderMoved.connect(self._dragged)
        self._slider.sliderReleased.connect(self._tell)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._spin.setValue(value)
        self._tell()

    def setMinimum(self, minimum: float) -> None:
        self._spin.setMinimum(minimum)
        self._placeHandle()

    def setMaximum(self, maximum: float) -> None:
        self._spin.setMaximum(maximum)
        self._placeHandle()

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    @Slot(bool)
    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin.setVisible(visible)

    def _setTracking(self, tracking: bool) -> None:
        self._tracking = tracking

    def _setPageStep(self, step: float) -> None:
        self._pageStep = step

    value = Property(float, lambda self: self._spin.value(), setValue)
    minimum = Property(float, lambda self: self._spin.minimum(), setMinimum)
    maximum = Property(float, lambda self: self._spin.maximum(), setMaximum)
    decimals = Property(int, lambda self: self._spin.decimals(), setDecimals)
    singleStep = Property(
        float, lambda self: self._spin.singleStep(), lambda self, s: self._spin.setSingleStep(s)
    )
    pageStep = Property(float, lambda self: self._pageStep, _setPageStep)
    tracking = Property(bool, lambda self: self._tracking, _setTracking)
    suffix = Property(
        str, lambda self: self._spin.suffix(), lambda self, text: self._spin.setSuffix(text)
    )
    prefix = Property(
        str, lambda self: self._spin.prefix(), lambda self, text: self._spin.setPrefix(text)
    )
    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)

    def _span(self) -> float:
        return self._spin.maximum() - self._spin.minimum()

    def _placeHandle(self) -> None:
        if self._span() > 0:
            share = (self._spin.value() - self._spin.minimum()) / self._span()
            self._slider.setValue(round(_POSITIONS * share))

    def _spun(self) -> None:
        if not self._slider.isSliderDown():
            self._placeHandle()
        self._tell()

    def _dragged(self, position: int) -> None:
        self._spin.setValue(self._spin.minimum() + position / _POSITIONS * self._span())
        self.valueIsChanging.emit(self._spin.value())

    def _stepped(self, action: int) -> None:
        """Handle keys and clicks beside the handle: singleStep, pageStep, minimum, maximum."""
        spin, actions = self._spin, QtWidgets.QSlider.SliderAction
        target = {
            actions.SliderSingleStepAdd: spin.value() + spin.singleStep(),
            actions.SliderSingleStepSub: spin.value() - spin.singleStep(),
            actions.SliderPageStepAdd: spin.value() + self._pageStep,
            actions.SliderPageStepSub: spin.value() - self._pageStep,
            actions.SliderToMinimum: spin.minimum(),
            actions.SliderToMaximum: spin.maximum(),
        }.get(actions(action))
        if target is not None:
            spin.setValue(target)
            self._slider.setSliderPosition(self._slider.value())

    def _tell(self) -> None:
        dragging = self._slider.isSliderDown() and not self._tracking
        if not dragging and self._spin.value() != self._lastTold:
            self._lastTold = self._spin.value()
            self.valueChanged.emit(self._lastTold)
