"""Entries of the model selector."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from ..models.catalog import SHIPPED_MODELS
from ..models.manifest import broken_models, denoiser_names


def addModels(comboBox, folder: Path = SHIPPED_MODELS) -> None:
    """Add the denoisers of a folder, then its broken models, which cannot be chosen.

    The tooltip of a broken model says what is wrong and what to do.
    """
    for name in denoiser_names(folder):
        comboBox.addItem(name)
    for model in broken_models(folder):
        comboBox.addItem(_("{name} (broken)").format(name=model.name))
        index = comboBox.count - 1
        comboBox.setItemData(index, model.problem, qt.Qt.ToolTipRole)
        # The role below UserRole holds the flags of an item of a combo box; 0 disables it.
        comboBox.setItemData(index, 0, qt.Qt.UserRole - 1)
