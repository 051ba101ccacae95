"""The printed loop has the settings of arXiv 2104.02326, sections 2.2 and 3."""

from pseudoct_research.evaluation.printed_loop import printed_settings
from PseudoCTDenoiseLib.denoising.presets import paper_settings


def test_the_printed_settings_are_the_papers():
    printed = printed_settings()
    assert printed.method == "pseudo-ct" and printed.teacher == "network"
    assert printed.noise_source == "models" and printed.noise_sign == "as-is"
    assert printed.loss == "mse" and printed.learning_rate == 1e-4
    assert printed.patch_size == 64 and printed.flips and printed.rescale == (0.5, 2.0)
    assert printed.moving_average is None and printed.anchor is None
    assert 0 < printed.update_period < printed.steps and printed.patience is None
    assert printed.orientations == 1 and printed.strength == 100
    assert printed_settings(update_period=None, steps=3).update_period is None


def test_the_preset_is_another_loop():
    assert printed_settings() != paper_settings()
