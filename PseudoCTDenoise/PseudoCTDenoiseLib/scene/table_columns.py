"""Columns for table nodes."""

from __future__ import annotations

from collections.abc import Iterable

import vtk


def textColumn(name: str, cells: Iterable[str]) -> vtk.vtkStringArray:
    """Return a column of texts."""
    column = vtk.vtkStringArray()
    column.SetName(name)
    for cell in cells:
        column.InsertNextValue(cell)
    return column
