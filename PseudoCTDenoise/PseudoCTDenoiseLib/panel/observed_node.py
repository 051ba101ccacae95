"""Observation of one node at a time, which keeps no node that it no longer observes."""

from __future__ import annotations

from collections.abc import Callable

import vtk


class ObservedNode:
    """Calls a function after the observed node was modified.

    Slicer's VTKObservationMixin keeps every node that it ever observed, and its voxels.

    Parameters
    ----------
    onModified : called with the node and the event.
    """

    def __init__(self, onModified: Callable[[object, str], None]):
        self._onModified = onModified
        self._node = None
        self._tag: int | None = None

    def observe(self, node) -> None:
        """Observe this node instead of the one before; None observes no node."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        self._tag = node and node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified)
