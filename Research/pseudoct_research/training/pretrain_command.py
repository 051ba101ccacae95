"""`pseudoct pretrain`: train a denoiser or a noise model on pairs or on normal-dose CT alone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from pathlib import Path

import torch
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.io.volume_files import check_same_grid
from PseudoCTDenoiseLib.ct.pixel_spacing import square_pixel_mm
from PseudoCTDenoiseLib.denoising.device import choose_device
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.target_noise import RESIDUAL_NOISE_FRACTION
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.catalog import (
    DENOISER,
    NOISE_MODEL,
    SHIPPED_MODELS,
    model_paths,
)
from PseudoCTDenoiseLib.models.store import (
    Manifest,
    load_model,
    model_files,
    save_model,
)
from torch import nn

from ..datasets.ct_dataset import CtScan, index_files, read_index, scan_credits
from ..datasets.series_choices import NO_CHOICE, check_choices, read_scans
from ..time_limit import add_time_limit
from .measured_domain import measured_domain
from .pretraining import (
    FAST_PRETRAINING,
    PAPER_PRETRAINING,
    Pretraining,
    PretrainingSettings,
    validation_patches,
)
from .step_patches import POOL
from .training_domain import TrainingDomain, exactly
from .training_pairs import NoisySlice, paired_slices, simulated_slices

PRESETS = {
    "fast": FAST_PRETRAINING,
    "narrow": replace(
        FAST_PRETRAINING,
        steps=2500,
        validate_every=500,
        domain=exactly(0.25, 0.0, RESIDUAL_NOISE_FRACTION),
    ),
    "noise": replace(
        FAST_PRETRAINING,
        role=NOISE_MODEL,
        parameters={**FAST_PRETRAINING.parameters, "residual": False},
        last_layers_only=True,
        steps=3000,
        batch=12,
        patch_size=96,
        learning_rate=5e-4,
        moving_average=0.99,
        validate_every=250,
    ),
    "red-cnn": replace(PAPER_PRETRAINING, domain=TrainingDomain(noise_left=None)),
}

TRUNK = "fast"
MOST_WORKERS = 16
VALIDATION = {"soft": (0.25, 0.0), "sharp": (0.25, 1.0), "tenth": (0.1, 0.5), "half": (0.5, 0.0)}
"""Name of a validation set → dose fraction and sharpness of the kernel."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of the new model")
    parser.add_argument("--preset", choices=PRESETS, default="fast", help="network and settings")
    data = parser.add_argument_group("training data: an index, normal-dose scans, or pairs")
    data.add_argument("--index", type=Path, help="CSV that lists scans with patient and split")
    data.add_argument("--patient", action="append", help="only this patient of the index")
    data.add_argument("--ndct", type=Path, nargs="+", help="normal-dose scans (file or folder)")
    data.add_argument(
        "--ldct", type=Path, nargs="+", help="the low-dose scans of --ndct, in the same order"
    )
    for name, scans in (("ndct", "normal-dose"), ("ldct", "low-dose")):
        data.add_argument(
            f"--{name}-series",
            nargs="+",
            default=(),
            metavar="SERIES",
            help=f"number or UID of the DICOM series of each of the {scans} scans, in their order; "
            f"'{NO_CHOICE}' for a scan without a choice",
        )
    parser.add_argument(
        "--validation-split", default="val", help="split for validation (default: val)"
    )
    parser.add_argument(
        "--start",
        help="pre-trained model to start from, in --models or shipped; the preset noise keeps its "
        f"first layers (default of that preset: {TRUNK})",
    )
    parser.add_argument(
        "--clean",
        type=float,
        metavar="SHARE",
        help="share of patches whose input and target are both the training scan denoised by "
        "--start (default: none)",
    )
    parser.add_argument("--learning-rate", type=float, help="default: the preset's")
    parser.add_argument("--steps", type=int, help="training steps (default: the preset's)")
    parser.add_argument("--batch", type=int, help="patches per step (default: the preset's)")
    parser.add_argument(
        "--reuse",
        type=int,
        help=f"steps per drawn batch; each step picks patches from the last {POOL} batches, which "
        "stay on the device. Use it for a GPU that trains faster than the CPU draws patches "
        "(default: a new batch for every step)",
    )
    add_time_limit(parser)
    parser.add_argument("--seed", type=int, default=0)
    add_device_argument(parser)
    parser.add_argument(
        "--workers",
        type=int,
        help="number of processes that draw patches, on Linux (default: with CUDA all cores but "
        f"one, at most {MOST_WORKERS}; otherwise 0)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("local"),
        help="folder for checkpoints and simulated noise",
    )
    parser.add_argument(
        "--models", type=Path, default=Path("local/models"), help="folder for the finished model"
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    settings = replace(PRESETS[arguments.preset], seed=arguments.seed)
    for name in ("steps", "learning_rate", "batch", "reuse"):
        if getattr(arguments, name) is not None:
            settings = replace(settings, **{name: getattr(arguments, name)})
    # Checks the name of the model before hours of training.
    manifest = Manifest(arguments.name, settings.role, settings.architecture, settings.parameters)
    if bool(arguments.index) == bool(arguments.ndct):
        raise BadInputError("Training needs either --index or --ndct. Give one of them.")
    if arguments.ldct and not arguments.ndct:
        raise BadInputError("--ldct needs normal-dose scans. Give --ndct instead of --index.")
    check_choices(arguments.ndct or (), arguments.ndct_series, "--ndct-series")
    check_choices(arguments.ldct or (), arguments.ldct_series, "--ldct-series")
    if settings.last_layers_only and not arguments.start:
        arguments.start = TRUNK
    checkpoint = arguments.work / f"{arguments.name}.checkpoint.npz"
    curve = arguments.work / f"{arguments.name}.curve.png"
    _check_outputs(arguments, checkpoint, curve)
    start, start_manifest = _start_network(arguments, settings)
    device = choose_device(arguments.device)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)

    if arguments.ldct:
        settings = replace(settings, domain=None)
    denoise = None
    if arguments.clean is not None:
        if start is None or settings.domain is None or settings.role != DENOISER:
            raise BadInputError(
                "--clean needs a denoiser as --start and does not work with --ldct. Add --start, "
                "and leave out --ldct."
            )
        settings = replace(settings, domain=replace(settings.domain, clean=arguments.clean))
        denoise = _denoiser(start, device.name)
    data = {"start": arguments.start or "random weights"}
    if denoise:  # a resumed run must denoise with the same weights
        data["start_sha256"] = start_manifest.sha256
    scans, slices, validation = _load(arguments, settings, device.name, denoise)
    data = {"scans": scan_credits(scans)} | data
    training = Pretraining(
        settings,
        slices,
        validation,
        checkpoint,
        device.name,
        start,
        data,
        _workers(device.name) if arguments.workers is None else arguments.workers,
    )
    with tqdm(total=settings.steps, initial=training.step, unit="step") as bar:

        def show(step: int, steps: int, row: dict | None) -> None:
            bar.update(step - bar.n)
            if row:
                bar.write("  ".join(f"{key} {value:.4g}" for key, value in row.items()))

        training.run(arguments.minutes, show)

    best = training.best_row()
    manifest = replace(
        manifest,
        steps=int(best.get("step", training.step)),
        domain=measured_domain(scans, settings.domain, settings.augmentation.rescale),
        training={**data, "settings": asdict(settings)},
        metrics={key: round(value, 3) for key, value in best.items() if key.startswith("gain")},
    )
    save_model(training.best_network(), manifest, arguments.models)
    state = "finished" if training.done else "unfinished: run the same command to resume"
    print(f"Wrote model '{arguments.name}' to {arguments.models} ({state}).")
    side_outputs = SideOutputs()
    if training.curve and validation:
        with side_outputs.writing(curve):
            _plot(curve, training, validation, arguments.name)
    return side_outputs.exit_code


def _check_outputs(arguments: argparse.Namespace, checkpoint: Path, curve: Path) -> None:
    """Check that the run replaces only its own files: those of a run that it resumes."""
    resumes = checkpoint.is_file()
    outputs = [
        *(Output(path, is_own=resumes) for path in model_paths(arguments.name, arguments.models)),
        Output(checkpoint, is_own=True),  # a file that is not a checkpoint is refused later
        Output(checkpoint.with_suffix(".csv"), ("step", "learning_rate")),
        Output(curve),
    ]
    inputs = [*(arguments.ndct or ()), *(arguments.ldct or ())]
    inputs += index_files(arguments.index) if arguments.index else []
    inputs += model_files(arguments.models, arguments.start) if arguments.start else []
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)


def _plot(path: Path, training: Pretraining, validation: Collection[str], name: str) -> None:
    from ..results.pictures import curve_picture

    curve_picture(
        path,
        training.curve,
        {f"validation, {name}": f"gain_{name}_db" for name in validation},
        y_label="PSNR gain over LDCT (dB)",
        title=f"Pre-training of '{name}'",
    )


def _workers(device: str) -> int:
    """Return the default number of worker processes.

    One thread draws fast enough for training on the CPU; a GPU needs all cores but one.
    """
    if sys.platform != "linux" or not device.startswith("cuda"):
        return 0
    return max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)) - 1))


def _start_network(
    arguments: argparse.Namespace, settings: PretrainingSettings
) -> tuple[nn.Module | None, Manifest | None]:
    """Return the pre-trained network to start from, and its manifest."""
    if not arguments.start:
        return None, None
    own = model_paths(arguments.start, arguments.models).manifest.is_file()
    network, manifest = load_model(arguments.start, arguments.models if own else SHIPPED_MODELS)
    layers = {"residual": settings.parameters.get("residual", True)}
    if (manifest.architecture, manifest.parameters | layers) != (
        settings.architecture,
        settings.parameters | layers,
    ):
        raise BadInputError(
            f"'{arguments.start}' has another architecture than the preset '{arguments.preset}'. "
            "Choose the preset that it was trained with."
        )
    return network, manifest


def _load(
    arguments: argparse.Namespace,
    settings: PretrainingSettings,
    device: str,
    denoise: Callable[[torch.Tensor], torch.Tensor] | None,
) -> tuple[list[CtScan], list[NoisySlice], dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Return the training scans, their slices, and the validation patches by set name.

    The scans are the low-dose ones if these are given, otherwise the normal-dose ones.

    ``denoise`` makes the clean slices, see :func:`.simulated_slices`.
    """
    from tqdm import tqdm

    cache = arguments.work / "noise"
    if arguments.index:
        scans = read_index(arguments.index, "train", arguments.patient)
        held_out = read_index(arguments.index, arguments.validation_split)
    else:
        volumes = read_scans(arguments.ndct, arguments.ndct_series)
        scans = [
            CtScan(volume.name, volume.hu, square_pixel_mm(volume.pixel_size, volume.name))
            for volume in volumes
        ]
        held_out = []
    if arguments.ldct:
        if len(arguments.ldct) != len(arguments.ndct):
            raise BadInputError(
                f"--ldct has {len(arguments.ldct)} scans and --ndct {len(arguments.ndct)}. Give "
                "the same number."
            )
        low = read_scans(arguments.ldct, arguments.ldct_series)
        for x, y in zip(low, volumes, strict=True):
            check_same_grid(x, y)
        pairs = list(zip((volume.hu for volume in low), scans, strict=True))
        slices = [noisy for hu, scan in pairs for noisy in paired_slices(hu, scan.hu)]
        return [replace(scan, hu=hu) for hu, scan in pairs], slices, {}

    with tqdm(total=len(scans) + len(held_out), unit="scan", desc="Noise") as bar:
        step = lambda done, total: bar.update()  # noqa: E731
        slices = simulated_slices(scans, cache, device=device, denoise=denoise, progress=step)
        held_out = simulated_slices(held_out, cache, device=device, progress=step)
    validation = {}
    if held_out:
        for name, (dose, sharpness) in VALIDATION.items():
            domain = exactly(dose, sharpness, settings.domain.noise_left)
            validation[name] = validation_patches(held_out, 48, 160, domain)
    return scans, slices, validation


def _denoiser(network: nn.Module, device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that denoises normalised slices on the CPU with a network on the device."""
    network = network.to(device)
    return lambda slices: apply_network(network, slices.to(device)).cpu()
