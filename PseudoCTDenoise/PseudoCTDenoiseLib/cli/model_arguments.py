"""The arguments that name a denoiser and its noise models, and the loading of both."""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import nn

from ..models.store import SHIPPED_MODELS, Manifest, load_denoiser, load_noise_models


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="fast", help="denoiser (default: fast)")
    parser.add_argument(
        "--models", type=Path, default=SHIPPED_MODELS, help="folder of models (default: shipped)"
    )


def load_models(
    arguments: argparse.Namespace,
) -> tuple[tuple[nn.Module, Manifest], list[tuple[nn.Module, Manifest]]]:
    """The denoiser and the noise models that go with it, each with its manifest.

    Raises
    ------
    BadInputError
        If the denoiser is unknown, damaged, or a noise model.
    """
    denoiser = load_denoiser(arguments.model, arguments.models)
    return denoiser, load_noise_models(arguments.models, denoiser[1].noise_models)
