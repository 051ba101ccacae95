"""The engine gives the same scan as the reference implementation of the paper's loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation.printed_loop import printed_settings
from pseudoct_research.performance.reference_loop import (
    apply_reference,
    denoise_with_reference_loop,
)
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.models.networks import RedCnn, UNet

SETTINGS = printed_settings(
    device="cpu",
    precision="float32",
    steps=12,
    update_period=5,
    tuning_slices=2,
    patch_size=24,
    batch=3,
    learning_rate=1e-3,
)


@pytest.fixture
def scan():
    """Return a clean and a noisy scan, (slices, rows, columns) HU."""
    rng = np.random.default_rng(0)
    clean = np.full((3, 48, 48), -1000, np.int16)
    clean[:, 8:-8, 8:-8] = 50
    noisy = np.maximum(np.rint(clean + rng.normal(0, 30, clean.shape)), -1024)
    return clean, noisy.astype(np.int16)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    noise_models = [UNet([2, 4], residual=False).eval() for _ in range(2)]
    return RedCnn(4).eval(), noise_models


def test_inference_equals_the_reference(scan, networks):
    job = DenoisingJob(scan[1], networks[0], [], replace(SETTINGS, method="pretrained"))
    difference = job.run_at_once().hu.astype(int) - apply_reference(networks[0], scan[1])
    assert np.abs(difference).max() <= 1


def test_the_tuned_results_agree_within_a_fiftieth_of_a_decibel(scan, networks):
    clean, ldct = scan
    engine = DenoisingJob(ldct, *networks, SETTINGS).run_at_once().hu
    reference = denoise_with_reference_loop(ldct, *networks, SETTINGS)
    untuned = apply_reference(networks[0], ldct)
    assert abs(psnr_4096(engine, clean) - psnr_4096(reference, clean)) < 0.02
    # Tuning changes the result by much more than this difference.
    assert abs(psnr_4096(engine, clean) - psnr_4096(untuned, clean)) > 0.2
