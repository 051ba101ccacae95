"""Modal dialogs that a test can read and answer, and that never block.

All modal dialogs come here: ``slicer.util.errorDisplay`` and similar functions,
``qt.QMessageBox.question``, ``qt.QFileDialog.getOpenFileName``, any ``exec_()``. ``Dialogs.shown``
records each of them. A question takes the next answer that the test has given with ``answerWith``.
A question without an answer counts as a fault and gets a negative answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6 import QtWidgets

from . import faults
from .pythonqt import replacements

Button = QtWidgets.QMessageBox.StandardButton
NEGATIVE = (Button.Cancel, Button.No, Button.Abort, Button.Close, Button.Ignore)


@dataclass(frozen=True)
class ShownDialog:
    """A dialog as the user would have seen it."""

    kind: str  # information, question, warning, critical, file, text or the class's name
    title: str
    text: str
    detailedText: str = ""
    buttons: tuple[str, ...] = ()
    answer: Any = None


@dataclass
class Dialogs:
    """The dialogs so far, and the answers to the next questions."""

    shown: list[ShownDialog] = field(default_factory=list)
    _answers: deque = field(default_factory=deque)

    def answerWith(self, *answers: Any) -> None:
        """Set the answers to the next questions.

        An answer is the name of a button ("Ok", "Yes", "Cancel" or the text of a custom button), a
        string for a file or text dialog, or a function of the dialog.
        """
        self._answers.extend(answers)

    def texts(self) -> list[str]:
        """Return the texts of the dialogs so far."""
        return [dialog.text for dialog in self.shown]

    def clear(self) -> None:
        self.shown.clear()
        self._answers.clear()

    def unusedAnswers(self) -> list[Any]:
        return list(self._answers)

    def _answer(self, otherwise: Any, question: str, dialog: Any = None) -> Any:
        if not self._answers:
            faults.record(AssertionError(f"nobody answered the dialog: {question}"))
            return otherwise
        answer = self._answers.popleft()
        return answer(dialog) if callable(answer) else answer

    # --- replacements of Qt's functions

    def execMessageBox(self, box: QtWidgets.QMessageBox) -> int:
        details = QtWidgets.QMessageBox.ButtonRole.ActionRole
        buttons = [
            b
            for b in box.buttons() or [box.addButton(Button.Ok)]
            if not (box.detailedText() and box.buttonRole(b) == details)
        ]
        names = {_buttonName(box, b): b for b in buttons}
        chosen = buttons[0]
        if len(buttons) > 1:
            negative = next(
                (b for n in NEGATIVE for b in buttons if box.standardButton(b) == n), buttons[-1]
            )
            name = self._answer(_buttonName(box, negative), box.text(), box)
            if name not in names:
                faults.record(AssertionError(f"no button {name!r} in {list(names)}: {box.text()}"))
                name = _buttonName(box, negative)
            chosen = names[name]
        self.shown.append(
            ShownDialog(
                kind=box.icon().name.lower(),
                title=box.windowTitle().strip(),
                text=box.text(),
                detailedText=box.detailedText(),
                buttons=tuple(names),
                answer=_buttonName(box, chosen),
            )
        )
        # clickedButton() and the signals need a click, and a click needs a visible box.
        box.show()
        chosen.click()
        box.hide()
        return box.standardButton(chosen).value

    def execDialog(self, dialog: QtWidgets.QDialog) -> int:
        """Show a dialog of the module, and let the test's answer function click its buttons."""
        dialog.show()
        labels = [w.text() for w in dialog.findChildren(QtWidgets.QLabel)]
        answer = self._answer(0, dialog.windowTitle() or " ".join(labels), dialog)
        self.shown.append(
            ShownDialog(type(dialog).__name__, dialog.windowTitle(), " ".join(labels))
        )
        dialog.hide()
        return int(answer) if isinstance(answer, (bool, int)) else dialog.result()

    def messageStatic(self, icon: QtWidgets.QMessageBox.Icon) -> Callable:
        def show(parent: Any, title: str, text: str, buttons: Any = Button.Ok, *rest: Any) -> Any:
            box = QtWidgets.QMessageBox(icon, title, text)
            box.setStandardButtons(QtWidgets.QMessageBox.StandardButton(buttons))
            return Button(self.execMessageBox(box))

        return show

    def textStatic(self, kind: str, otherwise: Any = "") -> Callable:
        def show(*args: Any) -> Any:
            words = " ".join(a for a in args if isinstance(a, str))
            answer = self._answer(otherwise, words)
            title = args[1] if len(args) > 1 else ""
            self.shown.append(ShownDialog(kind, title, words, answer=answer))
            return answer

        return show


def _buttonName(box: QtWidgets.QMessageBox, button: QtWidgets.QAbstractButton) -> str:
    standard = box.standardButton(button)
    return button.text().replace("&", "") if standard == Button.NoButton else standard.name


def install(dialogs: Dialogs) -> None:
    """Send the module's modal dialogs to `dialogs` from now on."""
    icons = QtWidgets.QMessageBox.Icon
    replacements.methods[("QMessageBox", "exec")] = dialogs.execMessageBox
    replacements.methods[("QDialog", "exec")] = dialogs.execDialog
    for name in ("information", "question", "warning", "critical"):
        icon = getattr(icons, name.capitalize())
        replacements.statics[("QMessageBox", name)] = dialogs.messageStatic(icon)
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
        replacements.statics[("QFileDialog", name)] = dialogs.textStatic("file")
    replacements.statics[("QFileDialog", "getOpenFileNames")] = dialogs.textStatic("file", [])
    for name in ("getText", "getInt", "getDouble", "getItem"):
        replacements.statics[("QInputDialog", name)] = dialogs.textStatic("text")
