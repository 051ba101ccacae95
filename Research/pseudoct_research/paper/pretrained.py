"""Pre-training of the experiment's denoisers and noise models.

The settings are the paper's, but the learning rates are higher, and that of the denoisers decays
at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL, model_paths
from PseudoCTDenoiseLib.models.store import Manifest, list_models, save_model

from ..datasets.ct_dataset import CtScan
from ..training.measured_domain import measured_domain
from ..training.pretraining import PAPER_PRETRAINING, Pretraining, PretrainingSettings
from ..training.settings_comparison import enabled_settings
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from ..training.training_pairs import NoisySlice, draw_patches, paired_slices
from .experiment_data import ExperimentData

N2N_DRAWS = "n2n-draws"
STARTS = (N2C, N2N_GAUSSIAN, N2V, N2N_DRAWS)
CHANNELS = {"paper": 96, "red-cnn-32": 32}
"""Channels of the paper's RED-CNN, and of the same network with a third of the channels."""
STEPS = 12500
LEARNING_RATE = 5e-4
"""Learning rate of the denoisers; with the paper's 1e-4 they learn more slowly."""
SELF_SUPERVISED_STEPS = 6250
"""Maximum number of steps of N2V and the paper's N2N, which never see the NDCT."""
NOISE_MODEL_STEPS = 15000
NOISE_MODEL_LEARNING_RATE = 1e-3
ALL_SUBJECTS = "all"
"""Name of the noise model trained on all subjects, for the row Model+Hist."""


def start_settings(network: str, start: str) -> PretrainingSettings:
    """Return the pre-training settings of a denoiser; two dose draws are N2C on other pairs.

    N2V uses no rescaling: a reduced patch is padded with its mirror image, which shows the hidden
    pixels, and in an enlarged patch the neighbours determine each pixel.
    """
    settings = replace(
        PAPER_PRETRAINING,
        supervision=N2C if start == N2N_DRAWS else start,
        parameters={"channels": CHANNELS[network]},
        steps=STEPS,
        learning_rate=LEARNING_RATE,
        schedule="decay",
    )
    if start == N2V:
        settings = replace(settings, augmentation=replace(settings.augmentation, rescale=None))
    if start in (N2V, N2N_GAUSSIAN):
        settings = replace(settings, steps=min(settings.steps, SELF_SUPERVISED_STEPS))
    return settings


def noise_model_settings() -> PretrainingSettings:
    """Return the pre-training settings of a noise model."""
    return replace(
        PAPER_PRETRAINING,
        role=NOISE_MODEL,
        architecture="UNet",
        parameters={"widths": [16, 32, 64], "residual": False},
        steps=NOISE_MODEL_STEPS,
        learning_rate=NOISE_MODEL_LEARNING_RATE,
    )


def start_name(network: str, start: str) -> str:
    """Return the model name of a pre-trained denoiser."""
    return network if start == N2C else f"{network}-{start}"


def noise_model_name(subject: str) -> str:
    """Return the name of the noise model of a subject, or of :data:`ALL_SUBJECTS`."""
    return f"paper-noise-{subject.lower()}"


def subjects(data: ExperimentData) -> list[str]:
    """Return the sorted names of the training subjects."""
    return sorted(pair.patient for pair in data.training)


def subject_models(data: ExperimentData) -> list[str]:
    """Return the names of the noise models, one per subject."""
    return [noise_model_name(subject) for subject in subjects(data)]


def runs(
    network: str, data: ExperimentData, starts: Sequence[str], with_models: bool = True
) -> list[tuple[str, str]]:
    """Return (model name, ``start`` or subject) of every model, in the order of training."""
    noise = [*subjects(data), ALL_SUBJECTS] if with_models else []
    return [
        *((start_name(network, start), start) for start in starts),
        *((noise_model_name(subject), subject) for subject in noise),
    ]


def pretrain(
    name: str,
    source: str,
    network: str,
    data: ExperimentData,
    work: Path,
    device: str,
    minutes: float = float("inf"),
    progress: Callable[[int, int, dict | None], None] = lambda step, steps, row: None,
) -> bool:
    """Train a model of :func:`runs` for at most ``minutes``; return True when it is finished.

    Finished models are stored in ``work/models``, checkpoints and validation curves in ``work``.

    Raises
    ------
    BadInputError
        If ``work`` holds a model of that name with other training data or settings.
    """
    folder = work / "models"
    settings = start_settings(network, source) if source in STARTS else noise_model_settings()
    described = {"data": data.training_description, "learns": source}
    settings_text = json.dumps(asdict(settings))  # JSON has no tuples
    for known in list_models(folder):
        if known.name == name:
            _check_training(known, {**described, "settings": json.loads(settings_text)}, work)
            return True
    # Checks the name of the model before hours of training.
    manifest = Manifest(name, settings.role, settings.architecture, settings.parameters)
    training = Pretraining(
        settings,
        _training_slices(source, data),
        _validation(source, data),
        work / f"{name}.checkpoint.npz",
        device,
        data=described,
    )
    training.run(minutes, progress)
    if training.done:
        best = training.best_row()
        credits = [c for c in data.credits if source in (*STARTS, ALL_SUBJECTS, c["patient"])]
        manifest = replace(
            manifest,
            steps=int(best["step"]),
            training={"scans": credits, **described, "settings": asdict(settings)},
            metrics={key: round(value, 3) for key, value in best.items() if "gain" in key},
            noise_models=subject_models(data) if settings.role == DENOISER else [],
            domain=measured_domain(
                [CtScan(pair.patient, pair.ldct, pair.pixel_mm) for pair in data.training],
                None,
                settings.augmentation.rescale,
            ),
        )
        save_model(training.best_network(), manifest, folder)
    return training.done


def _check_training(manifest: Manifest, wanted: dict, work: Path) -> None:
    found = manifest.training
    same = found.get("learns") == wanted["learns"]
    same = same and enabled_settings(found.get("settings", {})) == enabled_settings(
        wanted["settings"]
    )
    data = found.get("data", {})
    if not same or any(data.get(key) != value for key, value in wanted["data"].items()):
        paths = model_paths(manifest.name, work / "models")
        files = " and ".join(f"'{path.name}'" for path in paths)
        raise BadInputError(
            f"The model '{manifest.name}' in {work} has other training data or settings. "
            f"Choose another --work, or remove '{manifest.name}.checkpoint.npz' and, in 'models', "
            f"{files} to train it again."
        )


def _training_slices(source: str, data: ExperimentData) -> list[NoisySlice]:
    if source == N2N_DRAWS:
        if data.second_draw is None:
            raise BadInputError(
                "N2N on two dose draws needs two low-dose scans of a patient, and measured pairs "
                "have one. Use simulated pairs."
            )
        pairs = zip(data.training, data.second_draw, strict=True)
        return [noisy for pair, second in pairs for noisy in paired_slices(pair.ldct, second)]
    pairs = [pair for pair in data.training if source in (*STARTS, ALL_SUBJECTS, pair.patient)]
    return [noisy for pair in pairs for noisy in paired_slices(pair.ldct, pair.ndct)]


def _validation(source: str, data: ExperimentData) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw validation patches; the target is a second draw where the training has no NDCT."""
    if not data.validation:
        return {}
    targets = [pair.ndct for pair in data.validation]
    if source == N2N_DRAWS:
        targets = data.second_validation_draw
    pairs = zip(data.validation, targets, strict=True)
    slices = [noisy for pair, target in pairs for noisy in paired_slices(pair.ldct, target)]
    still = Augmentation(flips=False, rotations=False)
    return {"soft": draw_patches(slices, 48, 128, np.random.default_rng(1), None, still)}
