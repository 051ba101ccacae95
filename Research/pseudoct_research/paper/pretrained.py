"""The networks of the experiment: starts of the denoiser and noise models, by the paper's settings.

Source: arXiv 2104.02326, section 3. L1, Adam at 1e-4, ReduceLROnPlateau with factor 0.5, patches
of 64×64, random flips, random rescale between 0.5 and 2. The number of steps is ours.
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
from PseudoCTDenoiseLib.models.store import (
    DENOISER,
    NOISE_MODEL,
    Manifest,
    list_models,
    save_model,
)

from ..training.pretraining import Pretraining, PretrainingSettings
from ..training.settings_comparison import what_is_on
from ..training.supervision import N2C, N2N_GAUSSIAN, N2S, N2V
from ..training.training_pairs import NoisySlice, draw_patches, paired_slices
from .experiment_data import ExperimentData

N2N_DRAWS = "n2n-draws"
STARTS = (N2C, N2N_GAUSSIAN, N2V, N2N_DRAWS, N2S)
CHANNELS = {"paper": 96, "red-cnn-32": 32}
"""Networks: the paper's RED-CNN, and the same with a third of the channels."""
STEPS = {"paper": 1000, "red-cnn-32": 3000}
MASKED_STEPS = 1500
"""Of N2V and Noise2Self, whose validation curve is flat from the first hundreds of steps on."""
NOISE_MODEL_STEPS = 8000
ALL_SUBJECTS = "all"
"""The one noise model that learns from all subjects, for the row Model+Hist."""

PAPER_PRETRAINING = PretrainingSettings(
    architecture="RedCnn",
    parameters={"channels": 96},
    batch=16,
    patch_size=64,
    learning_rate=1e-4,
    schedule="plateau",
    balance=False,
    domain=None,
    augmentation=Augmentation(rotations=False, rescale=(0.5, 2.0)),
    validate_every=250,
    precision="auto",
)


def start_settings(network: str, start: str) -> PretrainingSettings:
    """How a start of a denoiser is pre-trained; two dose draws are N2C on other pairs.

    Masked starts go without rescale: a patch that was made smaller is filled with its mirror
    image, which shows the hidden pixels again, and one that was made larger tells each pixel by
    its neighbours.
    """
    settings = replace(
        PAPER_PRETRAINING,
        supervision=N2C if start == N2N_DRAWS else start,
        parameters={"channels": CHANNELS[network]},
        steps=STEPS[network],
    )
    if start in (N2V, N2S):
        still = replace(settings.augmentation, rescale=None)
        settings = replace(settings, augmentation=still, steps=min(settings.steps, MASKED_STEPS))
    return settings


def noise_model_settings() -> PretrainingSettings:
    """How a noise model is pre-trained."""
    return replace(
        PAPER_PRETRAINING,
        role=NOISE_MODEL,
        architecture="UNet",
        parameters={"widths": [16, 32, 64], "residual": False},
        steps=NOISE_MODEL_STEPS,
    )


def start_name(network: str, start: str) -> str:
    """Name of a start's model."""
    return network if start == N2C else f"{network}-{start}"


def noise_model_name(subject: str) -> str:
    """Name of the noise model that learnt from a subject, or from :data:`ALL_SUBJECTS`."""
    return f"paper-noise-{subject.lower()}"


def subjects(data: ExperimentData) -> list[str]:
    """The training subjects, by name."""
    return sorted(pair.patient for pair in data.training)


def subject_models(data: ExperimentData) -> list[str]:
    """Names of the noise models, one a subject."""
    return [noise_model_name(subject) for subject in subjects(data)]


def runs(
    network: str, data: ExperimentData, starts: Sequence[str], with_models: bool = True
) -> list[tuple[str, str]]:
    """Models and what each learns from, (name, start or subject), in the order of training."""
    noise = [*subjects(data), ALL_SUBJECTS] if with_models else []
    return [
        *((start_name(network, start), start) for start in starts),
        *((noise_model_name(subject), subject) for subject in noise),
    ]


def pretrain(
    name: str,
    lesson: str,
    network: str,
    data: ExperimentData,
    work: Path,
    device: str,
    minutes: float = float("inf"),
    progress: Callable[[int, int, dict | None], None] = lambda step, steps, row: None,
) -> bool:
    """Train a model of :func:`runs` further, for some minutes; True once it is finished.

    Finished models lie in ``work/models``, checkpoints and validation curves in ``work``.

    Raises
    ------
    BadInputError
        If ``work`` holds a model of that name that learnt from other data or by other settings.
    """
    folder = work / "models"
    settings = start_settings(network, lesson) if lesson in STARTS else noise_model_settings()
    described = {"data": data.learnt_from, "learns": lesson}
    settings_text = json.dumps(asdict(settings))  # JSON knows no tuples
    for known in list_models(folder):
        if known.name == name:
            _check_training(known, {**described, "settings": json.loads(settings_text)}, work)
            return True
    # Made before the hours of training, so that a name that no file can have ends here.
    manifest = Manifest(name, settings.role, settings.architecture, settings.parameters)
    training = Pretraining(
        settings,
        _training_slices(lesson, data),
        _validation(lesson, data),
        work / f"{name}.checkpoint.npz",
        device,
        data=described,
    )
    training.run(minutes, progress)
    if training.done:
        best = training.best_row()
        credits = [c for c in data.credits if lesson in (*STARTS, ALL_SUBJECTS, c["patient"])]
        manifest = replace(
            manifest,
            steps=int(best["step"]),
            training={"scans": credits, **described, "settings": asdict(settings)},
            metrics={key: round(value, 3) for key, value in best.items() if "gain" in key},
            noise_models=subject_models(data) if settings.role == DENOISER else [],
        )
        save_model(training.best_network(), manifest, folder)
    return training.done


def _check_training(manifest: Manifest, wanted: dict, work: Path) -> None:
    told = manifest.training
    same = told.get("learns") == wanted["learns"]
    same = same and what_is_on(told.get("settings", {})) == what_is_on(wanted["settings"])
    data = told.get("data", {})
    if not same or any(data.get(key) != value for key, value in wanted["data"].items()):
        raise BadInputError(
            f"The model '{manifest.name}' in {work} learnt from other data or by other settings: "
            f"choose another --work, or remove '{manifest.name}.checkpoint.npz' and, in 'models', "
            f"'PseudoCTDenoise_{manifest.name}' .npz and .json to train it again."
        )


def _training_slices(lesson: str, data: ExperimentData) -> list[NoisySlice]:
    if lesson == N2N_DRAWS:
        if data.second_draw is None:
            raise BadInputError(
                "N2N on two dose draws needs simulated pairs: measured ones have one."
            )
        twins = zip(data.training, data.second_draw, strict=True)
        return [one for pair, second in twins for one in paired_slices(pair.ldct, second)]
    pairs = [pair for pair in data.training if lesson in (*STARTS, ALL_SUBJECTS, pair.patient)]
    return [one for pair in pairs for one in paired_slices(pair.ldct, pair.ndct)]


def _validation(lesson: str, data: ExperimentData) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Patches of the validation pairs; of two draws where no NDCT may be known."""
    if not data.validation:
        return {}
    wanted = [pair.ndct for pair in data.validation]
    if lesson == N2N_DRAWS:
        wanted = data.second_validation_draw
    twins = zip(data.validation, wanted, strict=True)
    slices = [one for pair, target in twins for one in paired_slices(pair.ldct, target)]
    still = Augmentation(flips=False, rotations=False)
    return {"soft": draw_patches(slices, 48, 128, np.random.default_rng(1), None, still)}
