"""Scans of the experiment as pairs of LDCT and NDCT, simulated or measured."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.slice_selection import evenly_spaced_slices
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT
from PseudoCTDenoiseLib.temporary_files import replace_file

from ..datasets.challenge_pairs import find_patients, read_dose_pair
from ..datasets.ct_dataset import CtScan, read_index, scan_credits
from ..evaluation.comparison import CtPair, simulated_pair

TRAINING_PATIENTS = ("LIDC-IDRI-0001", "TCGA-DE-A4MA", "ACRIN-FLT-49F")
"""The three subjects of the simulated experiment; the paper trains on three, too."""
DOSE = 0.25
VALIDATION_SLICES = 4
SIMULATED = {"patients": list(TRAINING_PATIENTS), "dose": DOSE, "kernel": "soft"}
"""Description of the simulated training data."""


@dataclass(frozen=True)
class ExperimentData:
    """Pairs of the training subjects and of the test patients.

    Attributes
    ----------
    training : one pair per training subject.
    second_draw : a second, independent LDCT of every training subject, in the same order; None if
        there is only one, as with measured pairs.
    validation, second_validation_draw : the same for the validation patients.
    measured : one pair per test patient.
    training_description : description of the training data for JSON.
    description : description of training and test data for JSON.
    credits : patient, source and licence of every training scan.
    """

    training: list[CtPair]
    second_draw: list[np.ndarray] | None
    validation: list[CtPair]
    second_validation_draw: list[np.ndarray] | None
    measured: list[CtPair]
    training_description: dict
    description: dict
    credits: list[dict]


def simulated_data(
    index: Path | str,
    split: str,
    slices: int,
    cache: Path | str,
    progress: Callable[[], None] = lambda: None,
) -> ExperimentData:
    """Simulate the scans of an index at 25 % dose with the soft kernel.

    Parameters
    ----------
    index : see :func:`.read_index`; must list :data:`TRAINING_PATIENTS` in its split ``train``.
    split : split of the test patients; pre-training is validated on ``val``.
    slices : maximum number of test slices per patient, evenly spaced.
    cache : folder for the simulated LDCT.
    progress : called after every scan.
    """

    def pairs(scans: Sequence[CtScan], first_seed: int) -> list[CtPair]:
        simulated = []
        for number, scan in enumerate(scans):
            simulated.append(_simulated(scan, first_seed + number, Path(cache)))
            progress()
        return simulated

    scans = read_index(index, "train", list(TRAINING_PATIENTS))
    missing = set(TRAINING_PATIENTS) - {scan.patient for scan in scans}
    if missing:
        raise BadInputError(f"{index} lists no training scan of {', '.join(sorted(missing))}.")
    first, second = pairs(scans, 0), pairs(scans, 500)
    held_out = _few_slices(read_index(index, "val"), VALIDATION_SLICES)
    return ExperimentData(
        training=first,
        second_draw=[pair.ldct for pair in second],
        validation=pairs(held_out, 1000),
        second_validation_draw=[pair.ldct for pair in pairs(held_out, 1500)],
        measured=by_patient(pairs(_few_slices(read_index(index, split), slices), 2000)),
        training_description=SIMULATED,
        description=simulated_description(split, slices),
        credits=scan_credits(scans),
    )


def simulated_description(split: str, slices: int) -> dict:
    """Return the description of :func:`simulated_data` without reading a scan."""
    return {**SIMULATED, "measured on": split, "slices": slices}


def measured_data(
    folder: Path | str,
    training: Sequence[str],
    slices: int | None,
    progress: Callable[[], None] = lambda: None,
) -> ExperimentData:
    """Read measured full-dose and quarter-dose scans, see :mod:`..datasets.challenge_pairs`.

    Parameters
    ----------
    training : training patients; all other patients of the folder are test patients.
    slices : maximum number of test slices per patient, evenly spaced; None for all.

    Raises
    ------
    BadInputError
        If a training patient is missing, no other patient is left, or a pair cannot be read.
    """
    places = find_patients(folder)
    missing = set(training) - places.keys()
    if missing:
        raise BadInputError(
            f"{folder} lacks the training patients {', '.join(sorted(missing))}; it has "
            f"{', '.join(places)}. Choose others with --training-patient."
        )
    if len(places) == len(set(training)):
        raise BadInputError(f"{folder} contains training patients only. Add test patients.")
    pairs = {True: [], False: []}
    for patient, (full, quarter) in places.items():
        both = read_dose_pair(patient, full, quarter)
        trained_on = patient in training
        every = trained_on or slices is None
        kept = range(len(both.full)) if every else evenly_spaced_slices(both.full, slices)
        pairs[trained_on].append(CtPair(patient, both.quarter[kept], both.full[kept]))
        progress()
    training_description = {"patients": sorted(set(training)), "dose": "measured"}
    return ExperimentData(
        training=pairs[True],
        second_draw=None,
        validation=[],
        second_validation_draw=None,
        measured=pairs[False],
        training_description=training_description,
        description={
            **training_description,
            "measured on": [pair.patient for pair in pairs[False]],
            "slices": slices,
        },
        credits=[
            {"patient": patient, "source": f"measured pairs in {Path(folder).name}", "licence": ""}
            for patient in sorted(set(training))
        ],
    )


def by_patient(pairs: Sequence[CtPair]) -> list[CtPair]:
    """Join all slices of each patient to one pair.

    Raises
    ------
    BadInputError
        If a patient's slices differ in size.
    """
    joined = []
    for patient in dict.fromkeys(pair.patient for pair in pairs):
        of_patient = [pair for pair in pairs if pair.patient == patient]
        if len({pair.ndct.shape[1:] for pair in of_patient}) > 1:
            raise BadInputError(
                f"The slices of {patient} differ in size. List one scan per patient."
            )
        ldct, ndct = (
            np.concatenate([getattr(pair, name) for pair in of_patient])
            for name in ("ldct", "ndct")
        )
        joined.append(CtPair(patient, ldct, ndct, of_patient[0].pixel_mm))
    return joined


def _few_slices(scans: Sequence[CtScan], most: int) -> list[CtScan]:
    return [replace(scan, hu=scan.hu[evenly_spaced_slices(scan.hu, most)]) for scan in scans]


def _simulated(scan: CtScan, seed: int, cache: Path) -> CtPair:
    setting = f"{LowDoseSimulator(scan.pixel_mm)} {DOSE} {SOFT} {seed}, padding kept"
    digest = hashlib.sha256(setting.encode())
    digest.update(np.ascontiguousarray(scan.hu))
    file = cache / f"ldct-{digest.hexdigest()[:24]}.npy"
    with contextlib.suppress(OSError, ValueError):  # missing or damaged: simulate again
        return CtPair(scan.patient, np.load(file, allow_pickle=False), scan.hu, scan.pixel_mm)
    pair = simulated_pair(scan, DOSE, SOFT, seed)
    cache.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, pair.ldct, allow_pickle=False)
    replace_file(file, content.getvalue())
    return pair
