"""Add SimpleITK images to the scene as volume nodes, as Slicer's ``sitkUtils`` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer


def addVolume(image: sitk.Image, name: str) -> Any:
    """Add a scalar volume node with the image's voxels at their position in the patient.

    ITK's axes point to the patient's left and posterior, MRML's axes to right and anterior, so
    the first two components of origin and directions change their sign.
    """
    node = slicer.util.addVolumeFromArray(sitk.GetArrayFromImage(image), name=name)
    directions = np.reshape(image.GetDirection(), (3, 3))
    x, y, z = image.GetOrigin()
    node.SetSpacing(*image.GetSpacing())
    node.SetOrigin(-x, -y, z)
    node.SetIJKToRASDirections(*-directions[0], *-directions[1], *directions[2])
    node.CreateDefaultDisplayNodes()
    return node
