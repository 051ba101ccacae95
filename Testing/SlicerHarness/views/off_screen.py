"""An off-screen VTK window, and its image for Qt."""

from __future__ import annotations

import vtk
from PySide6 import QtGui
from vtkmodules.util.numpy_support import vtk_to_numpy


def hide(window: vtk.vtkRenderWindow) -> vtk.vtkRenderWindow:
    """Make the window draw into memory, and return it."""
    window.SetOffScreenRendering(1)
    window.ShowWindowOff()
    window.SetMultiSamples(0)
    return window


def picture(window: vtk.vtkRenderWindow, width: int, height: int) -> QtGui.QImage:
    """Render the window at a size in pixels and return the image."""
    if tuple(window.GetSize()) != (width, height):
        window.SetSize(width, height)
    window.Render()
    pixels = vtk.vtkUnsignedCharArray()
    window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
    # VTK stores the bottom row first, Qt the top row.
    data = vtk_to_numpy(pixels).reshape(height, width, 3)[::-1].copy()
    rgb = QtGui.QImage.Format.Format_RGB888
    return QtGui.QImage(data.data, width, height, 3 * width, rgb).copy()
