"""Repetition of a result, and its comparison with the old one."""

from __future__ import annotations

import numpy as np
import slicer

from ..denoising.repetition import compare_images, differences, outcome, repeat_settings
from ..errors import BadInputError
from ..models.catalog import DEFAULT_MODEL
from ..worker.runner import Runner
from ..worker.worker_process import JobState
from . import provenance
from .denoising_run import DenoisingRun, Request
from .geometry import geometryOf
from .results import Outputs, checkInputUnchanged, originalOf, removedNoiseOf


class RepeatRun(DenoisingRun):
    """A job that makes a result again, into a new volume.

    Parameters
    ----------
    result : the denoised volume of the old job.
    runner, options : as for :class:`.DenoisingRun`.

    Raises
    ------
    BadInputError
        If the volume is not a result, its input is missing or changed, or its settings are
        unreadable.
    """

    def __init__(self, result, runner: Runner, **options):
        super().__init__(repeatRequest(result), runner, **options)
        self._resultID = result.GetID()

    def _import(self) -> JobState:
        state = super()._import()
        if state is JobState.COMPLETED:
            old = slicer.mrmlScene.GetNodeByID(self._resultID)
            self.outcome = _outcome(old, self.outputVolume)
            self.logged.emit(self.outcome)
        return state


def repeatRequest(result) -> Request:
    """Return the request that makes a result again; raises as :class:`RepeatRun` does."""
    if not provenance.isResult(result):
        raise BadInputError("This volume is not a result of the module. Choose another volume.")
    original = originalOf(result)
    checkInputUnchanged(original, result)
    known = provenance.provenanceOf(result)
    hasNoise, hasPseudo = (
        result.GetNodeReference(role) is not None
        for role in (provenance.NOISE_MAP, provenance.PSEUDO_LDCT)
    )
    return Request(
        original,
        model=known.get("Model", DEFAULT_MODEL),
        settings=repeat_settings(_report(result)),
        outputs=Outputs(noiseMap=hasNoise, pseudoLdct=hasPseudo),
        strength=known.get("Strength", 100.0),
        sliceRange=known.get("Slices"),
    )


def _report(result) -> dict:
    """Return what a result's attributes hold of the report of its job."""
    known = provenance.provenanceOf(result)
    machine = known.get("Machine")
    return {
        "versions": {"pseudoctdenoise": known.get("Version")},
        "device": {},
        "settings": known.get("Settings"),
        "slices_with_neighbours": known.get("SlicesWithNeighbours"),
        "model": {"name": known.get("Model"), "sha256": known.get("ModelSha256")},
    } | (machine if isinstance(machine, dict) else {})


def _outcome(old, new) -> str:
    """Return in words how a new result differs from the old one, at full strength."""
    if old is None:
        return "The old result is no longer in the scene, so the new one was not compared with it."
    try:
        before, after = (slicer.util.arrayFromVolume(removedNoiseOf(node)) for node in (old, new))
    except BadInputError as error:
        return str(error)
    reasons = differences(_report(old), _report(new))
    if not np.allclose(geometryOf(old), geometryOf(new)):
        reasons.append("geometry of the input")
    return outcome(compare_images(before, after), reasons)
