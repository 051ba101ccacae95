"""Command-line arguments that choose device, model and settings, and the resulting settings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..denoising.plan import SHORT_SCAN
from ..denoising.settings import (
    METHODS,
    ORIENTATION_COUNTS,
    TUNINGS,
    DenoisingSettings,
    settings_from_values,
)
from ..errors import BadInputError
from ..input_file import read_json
from ..models.catalog import DEFAULT_MODEL, SHIPPED_MODELS

DEVICES = "auto, cpu, cuda, cuda:INDEX or mps"
FLAGS = ("method", "steps", "strength", "device", "seed", "tuning", "orientations")
"""Settings that have a flag; ``--settings`` sets the others."""


def add_device_argument(
    parser: argparse.ArgumentParser, default: str | None = "auto", devices: str = DEVICES
) -> None:
    """Add ``--device``. With the default None, a settings file can choose the device."""
    parser.add_argument(
        "--device",
        default=default,
        help=f"device to compute on: {devices} (default: auto)",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"name of the denoiser (default: {DEFAULT_MODEL})",
    )
    add_models_argument(parser)


def add_models_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        type=Path,
        default=SHIPPED_MODELS,
        help="folder of models (default: the shipped models)",
    )


def add_setting_arguments(parser: argparse.ArgumentParser, devices: str = DEVICES) -> None:
    """Add the arguments that choose model and settings, see :func:`read_settings`."""
    add_model_arguments(parser)
    default = DenoisingSettings()
    parser.add_argument(
        "--method",
        choices=METHODS,
        help="pseudo-ct fine-tunes the network on the scan; pretrained applies it unchanged "
        f"(default: {default.method})",
    )
    parser.add_argument(
        "--steps", type=int, help=f"maximum number of fine-tuning steps (default: {default.steps})"
    )
    parser.add_argument(
        "--strength",
        type=float,
        help="strength of the denoising in percent, from 0 (the input) to 100 "
        f"(the network's output; default: {default.strength:g})",
    )
    add_device_argument(parser, default=None, devices=devices)
    parser.add_argument(
        "--seed", type=int, help=f"seed of the random numbers (default: {default.seed})"
    )
    parser.add_argument(
        "--tuning",
        choices=TUNINGS,
        help="fine-tune once, on slices spread over the scan, or separately on each slice "
        f"(default: {default.tuning})",
    )
    parser.add_argument(
        "--orientations",
        type=int,
        choices=ORIENTATION_COUNTS,
        help="number of flips and rotations by 90 degrees to average "
        f"(default: 8; 3 for {SHORT_SCAN + 1} or more slices of 512×512)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        help="JSON file of settings, or the report of an earlier run, whose settings are used but "
        "not its model; 'pseudoct repeat' makes its result again",
    )


def read_settings(arguments: argparse.Namespace) -> DenoisingSettings:
    """Return the settings: the defaults, then ``--settings``, then the flags; the last one wins.

    Raises
    ------
    BadInputError
        If the file is not JSON, or a setting is unknown or out of range.
    """
    settings = DenoisingSettings()
    if arguments.settings:
        values = read_json(arguments.settings)
        values = values.get("settings", values)
        if not isinstance(values, dict):
            raise BadInputError(
                f"{arguments.settings} does not contain settings by name: give a JSON object."
            )
        try:
            settings = settings_from_values(values)
        except BadInputError as error:
            raise BadInputError(f"{arguments.settings}: {error}") from error
    flags = {name: getattr(arguments, name) for name in FLAGS}
    return replace(settings, **{name: flags[name] for name in FLAGS if flags[name] is not None})
