"""ctkCollapsibleButton: a header that shows and hides the widgets inside it."""

from __future__ import annotations

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from ..pythonqt.names import Native

_UNBOUNDED = 16777215


class ctkCollapsibleButton(Native, QtWidgets.QAbstractButton):
    contentsCollapsed = Signal(bool)

    def __init__(self, *args: object) -> None:
        text = args[0] if args and isinstance(args[0], str) else ""
        parent = args[-1] if args and isinstance(args[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._hiddenByCollapse: list[QtWidgets.QWidget] = []
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        preferred = QtWidgets.QSizePolicy.Policy.Preferred
        self.setSizePolicy(preferred, preferred)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)
        self.toggled.connect(self._toggled)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.isChecked(), setCollapsed)

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 10

    def _toggled(self, open_: bool) -> None:
        if open_:
            hidden, self._hiddenByCollapse = self._hiddenByCollapse, []
            for widget in hidden:
                if shiboken6.isValid(widget):
                    widget.show()
        else:
            direct = Qt.FindChildOption.FindDirectChildrenOnly
            for widget in self.findChildren(QtWidgets.QWidget, options=direct):
                if not widget.isHidden():
                    self._hide(widget)
        self.setMaximumHeight(_UNBOUNDED if open_ else self._headerHeight())
        self.updateGeometry()
        self.contentsCollapsed.emit(not open_)

    def _hide(self, widget: QtWidgets.QWidget) -> None:
        widget.hide()
        self._hiddenByCollapse.append(widget)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Hide a child that is shown while the button is collapsed, until the button is opened."""
        if event.type() == QtCore.QEvent.Type.ShowToParent and not self.isChecked():
            self._hide(child)
        return False

    def hitButton(self, pos: QtCore.QPoint) -> bool:
        return pos.y() <= self._headerHeight()

    def sizeHint(self) -> QtCore.QSize:
        header = QtCore.QSize(
            self.fontMetrics().horizontalAdvance(self.text()) + 40, self._headerHeight()
        )
        if self.layout() is None or not self.isChecked():
            return header
        return self.layout().totalSizeHint().expandedTo(header)

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        height = self._headerHeight()
        painter = QtWidgets.QStylePainter(self)
        bevel = QtWidgets.QStyleOptionButton()
        bevel.initFrom(self)
        bevel.rect = QtCore.QRect(0, 0, self.width(), height - 2)
        bevel.state |= QtWidgets.QStyle.StateFlag.State_Raised
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, bevel)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, (height - 12) // 2, 10, 10)
        element = QtWidgets.QStyle.PrimitiveElement
        down, right = element.PE_IndicatorArrowDown, element.PE_IndicatorArrowRight
        painter.drawPrimitive(down if self.isChecked() else right, arrow)
        painter.drawItemText(
            QtCore.QRect(22, 0, self.width() - 24, height - 2),
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            self.palette(),
            self.isEnabled(),
            self.text().replace("&&", "&"),
        )
