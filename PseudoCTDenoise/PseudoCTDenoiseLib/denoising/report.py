"""Report of a denoising job, with all information needed to assess and to repeat the job."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from .. import __version__
from ..ct.flat_windows import flat_windows, low_frequency_share, mean_frequency
from ..ct.io.derived_note import NOTICE
from ..ct.noise_direction import direction_ratio
from ..ct.noise_level import noise_reduction, soft_tissue_noise
from ..ct.reference_metrics import image_metrics
from ..ct.slice_selection import evenly_spaced_slices
from ..errors import BadInputError
from ..models.store import Manifest
from .denoised_scan import DenoisedScan
from .noise_estimation import NoiseTexture
from .removed_noise import check_removed_noise

NOISE_SLICES = 16


def job_report(
    hu: np.ndarray,
    result: DenoisedScan,
    denoiser: Manifest,
    noise_models: Sequence[Manifest],
    reference: np.ndarray | None = None,
    slice_labels: Sequence[str] = (),
) -> dict:
    """Return the report of a job as values for JSON. Units are part of the names.

    A metric may be infinite or NaN, such as the PSNR of equal images. :func:`.json_text` writes it
    as null.

    Parameters
    ----------
    hu : the scan that was denoised, (slices, rows, columns) HU.
    reference : NDCT on the same grid. If it is given, the report contains the metrics of input and
        result, and both must be arrays in memory.
    slice_labels : what the files call the slices, see :func:`.check_removed_noise`.
    """
    noise = noise_metrics(hu, result.hu)
    frequency_ratio = noise and noise["removed_mean_frequency_ratio"]
    report = {
        "notice": NOTICE,
        "settings": result.settings.as_dict(),
        **model_identities(denoiser, noise_models),
        "versions": {
            "pseudoctdenoise": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "simpleitk": sitk.Version.VersionString(),
        },
        "device": {
            "name": result.device.name,
            "description": result.device.description,
            "reason": result.device.reason,
            "processor": processor_name(),
            "threads": torch.get_num_threads(),
            "precision": result.precision,
        },
        "warnings": result.warnings,
        "slices": len(hu),
        "steps_done": len(result.losses),
        "tuning_loss": result.losses,
        "tunings": [
            {
                "noise_found_hu": tuning.noise_hu,
                **_texture(tuning.texture),
                "risk_hu2_by_step": {str(step): risk for step, risk in tuning.risks.items()},
                "best_step": tuning.best_step,
                "share_of_tuned_weights": tuning.share,
                "diverged": tuning.diverged,
                "implausible_risk": tuning.implausible,
            }
            for tuning in result.tunings
        ],
        "seconds": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        "peak_memory_mib": peak_memory_mib(),
        "mean_absolute_change_hu": float(
            np.mean(
                [
                    np.abs(before.astype(np.int32) - after).mean()
                    for before, after in zip(hu, result.hu, strict=True)
                ]
            )
        ),
        "noise": noise,
        "removed_noise": check_removed_noise(result.structures, frequency_ratio, slice_labels),
    }
    if reference is not None:
        report["against_reference"] = {
            "input": image_metrics(hu, reference),
            "result": image_metrics(result.hu, reference),
        }
    return report


def noise_metrics(before: np.ndarray, after: np.ndarray) -> dict | None:
    """Return the noise in uniform soft tissue before and after, or None without soft tissue.

    It is measured on up to :data:`NOISE_SLICES` slices, spread over the body. The median over these
    slices is accurate enough. The direction is that of :func:`.direction_ratio`, or None if there
    is too little soft tissue for it. The mean frequencies of the scan's noise, in cycles per pixel,
    and of the removed noise relative to it are None in that case, or without noise. So is the
    percentage of the removed noise's power at low frequencies, see :func:`.low_frequency_share`.
    """
    indices = evenly_spaced_slices(before, NOISE_SLICES)
    before, after = (np.stack([scan[index] for index in indices]) for scan in (before, after))
    try:
        metrics = {
            "soft_tissue_before_hu": soft_tissue_noise(before),
            "soft_tissue_after_hu": soft_tissue_noise(after),
            "reduction_percent": 100 * noise_reduction(before, after),
        }
    except BadInputError:
        return None
    keys = (
        "direction_ratio_before",
        "direction_ratio_after",
        "mean_frequency_per_pixel",
        "removed_mean_frequency_ratio",
        "removed_low_frequency_percent",
    )
    try:
        old, new = flat_windows(before, after)
    except BadInputError:
        return metrics | dict.fromkeys(keys)
    frequency, removed = mean_frequency(old), mean_frequency(old - new)
    ratio = removed / frequency if frequency and removed else None
    low = low_frequency_share(old - new, old)
    percent = None if low is None else 100 * low
    values = direction_ratio(old), direction_ratio(new), frequency, ratio, percent
    return metrics | dict(zip(keys, values, strict=True))


def processor_name() -> str:
    """Return the name of the processor, which decides how torch computes on it."""
    if sys.platform == "linux":
        if found := re.search(r"model name\s*:\s*(.+)", _text_of("/proc/cpuinfo")):
            return found[1]
    return platform.processor() or platform.machine()


def peak_memory_mib() -> dict[str, int]:
    """Return the peak memory of this process, and of the GPU if one was used, in MiB.

    Values that the system hides are left out.
    """
    peak = {}
    if sys.platform == "linux":  # getrusage returns the parent's peak there, if it is higher
        if found := re.search(r"VmHWM:\s*(\d+) kB", _text_of("/proc/self/status")):
            peak["process"] = int(found[1]) // 2**10
    elif sys.platform == "darwin":
        import resource

        peak["process"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    if torch.cuda.is_available():
        peak["gpu"] = torch.cuda.max_memory_allocated() // 2**20
    return peak


def _text_of(path: str) -> str:
    """Return the text of a file of the system, or nothing if a sandbox hides it."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def model_identities(denoiser: Manifest, noise_models: Sequence[Manifest]) -> dict:
    """Return the entries of the models in a report: name and SHA-256 of each."""

    def identity(manifest: Manifest) -> dict[str, str]:
        return {"name": manifest.name, "sha256": manifest.sha256}

    return {
        "model": identity(denoiser),
        "noise_models": [identity(manifest) for manifest in noise_models],
    }


def _texture(texture: NoiseTexture | None) -> dict[str, float | None]:
    return {
        "kernel_sharpness_found": None if texture is None else texture.sharpness,
        "tube_current_modulation_found": None if texture is None else texture.modulation,
    }
