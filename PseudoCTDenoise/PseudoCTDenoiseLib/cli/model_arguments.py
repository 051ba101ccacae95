"""Command-line arguments that choose a denoiser and the folder of models."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..models.catalog import DEFAULT_MODEL, SHIPPED_MODELS


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
