"""The paper's loop as printed (arXiv 2104.02326), from which the preset *Paper* differs."""

from __future__ import annotations

from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings


def printed_settings(**changes) -> DenoisingSettings:
    """Return the printed loop, with C and the preset's number of steps, which the paper omits."""
    printed = {
        "rescale": (0.5, 2.0),
        "learning_rate": 1e-4,
        "moving_average": None,
        "update_period": 50,
    }
    return paper_settings(**printed | changes)
