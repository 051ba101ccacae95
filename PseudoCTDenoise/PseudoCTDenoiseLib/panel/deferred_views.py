"""Changes of the views that wait until the user returns to the panel."""

from __future__ import annotations

from collections.abc import Callable


class DeferredViews:
    """Changes the views immediately while the panel is open, otherwise later.

    A user who draws in another module would lose the views in the middle of a stroke.

    Parameters
    ----------
    isOpen : returns True while the panel is open.
    """

    def __init__(self, isOpen: Callable[[], bool]):
        self._isOpen = isOpen
        self._waiting: Callable[[], None] | None = None

    @property
    def mayChange(self) -> bool:
        """True if a change of the views disturbs nobody."""
        return self._isOpen()

    def change(self, show: Callable[[], None]) -> None:
        """Call ``show()`` now, or when the panel is opened again."""
        if self.mayChange:
            self._waiting = None
            show()
        else:
            self._waiting = show

    def onEnter(self) -> None:
        """Make the change that waits, if there is one."""
        show, self._waiting = self._waiting, None
        if show is not None:
            show()

    def forget(self) -> None:
        """Forget the change that waits, because the scene was closed."""
        self._waiting = None
