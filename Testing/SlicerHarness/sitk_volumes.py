"""SimpleITK's images as volume nodes, as Slicer's ``sitkUtils`` makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer


def addVolume(image: sitk.Image, name: str) -> Any:
    """A scalar volume node with the image's voxels, where they are in the patient.

    ITK's axes point to the patient's left and posterior, MRML's to right and anterior: the first
    two components of origin and directions change their sign.
    """
    node = slicer.util.addVolumeFromArray(sitk.GetArrayFromImage(image), name=name)
    directions = np.reshape(image.GetDirection(), (3, 3))
    x, y, z = image.GetOrigin()
    node.SetSpacing(*image.GetSpacing())
    node.SetOrigin(-x, -y, z)
    node.SetIJKToRASDirections(*-directions[0], *-directions[1], *directions[2])
    node.CreateDefaultDisplayNodes()
    return node
