"""Diverging colours of noise: blue for negative values, red for positive values."""

from __future__ import annotations

import numpy as np
import slicer

TAG = "PseudoCTDenoiseNoiseColors"
STOPS = np.array(
    [
        [0.02, 0.19, 0.38],
        [0.13, 0.40, 0.67],
        [0.57, 0.77, 0.87],
        [0.97, 0.97, 0.97],
        [0.96, 0.65, 0.51],
        [0.70, 0.09, 0.17],
        [0.40, 0.00, 0.12],
    ]
)
"""Red, green and blue from the most negative to the most positive value."""
COUNT = 256


def noiseColors():
    """Return the scene's colour node for noise; it is created if it is missing."""
    node = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLColorTableNode")
    if node is not None:
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetSingletonTag(TAG)
    node.SetName("Noise (blue to red)")
    node.SetTypeToUser()
    node.SetNumberOfColors(COUNT)
    at = np.linspace(0, len(STOPS) - 1, COUNT)
    channels = [np.interp(at, range(len(STOPS)), channel) for channel in STOPS.T]
    for index, (red, green, blue) in enumerate(zip(*channels, strict=True)):
        node.SetColor(index, f"{index}", red, green, blue, 1.0)
    return slicer.mrmlScene.AddNode(node)
