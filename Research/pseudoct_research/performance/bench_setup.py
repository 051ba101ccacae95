"""Setup that the parts of the benchmark share: the machine, a phantom scan, settings, networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import NamedTuple

from PseudoCTDenoiseLib.denoising.device import ComputeDevice
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.models.store import load_models
from torch import nn

from ..evaluation.printed_loop import printed_settings
from ..phantom.phantom_scan import PhantomScan, scan_phantom
from ..phantom.torso import torso_phantom

FIELD_MM = 384.0
"""Field of view of every scan in mm, for any number of rows."""


class BenchSetup(NamedTuple):
    """Input of every part: the command's arguments, the machine, and a scan of four slices."""

    arguments: argparse.Namespace
    device: ComputeDevice
    machine: dict
    pixel_mm: float
    scan: PhantomScan


def quarter_dose_scan(pixel_mm: float, rows: int) -> PhantomScan:
    """Return four slices of the torso phantom at 25 % dose."""
    return scan_phantom(torso_phantom(4, rows, pixel_mm).hu, pixel_mm)


def bench_settings(
    arguments: argparse.Namespace, device: str
) -> tuple[DenoisingSettings, DenoisingSettings]:
    """Return the settings of the default method and of the paper's loop as printed."""
    chosen = {"device": device, "precision": arguments.precision}
    if arguments.steps is not None:
        chosen["steps"] = arguments.steps
    return DenoisingSettings(**chosen), printed_settings(**chosen)


def load_networks(name: str) -> tuple[nn.Module, list[nn.Module]]:
    """Load a denoiser and its noise models from disk: a job moves them to its device."""
    models = load_models(name)
    return models.denoiser[0], models.noise_networks


def with_bar(items: Iterable, unit: str) -> Iterable:
    """Iterate over items and show a progress bar on standard error."""
    from tqdm import tqdm

    return tqdm(items, unit=unit, file=sys.stderr)
