"""Scans of a cohort that must be denoised again: they changed, or their results are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..temporary_files import remove_folder
from .manifest import DONE, PENDING, CohortManifest
from .scan_list import Scan, fingerprint
from .scan_task import SCANS

REPLACED = "The scan changed since the last run, so it is denoised again."
LOST = "The denoised scan is gone, so it is made again."


def repeat_changed(
    folder: Path, manifest: CohortManifest, result_name: Callable[[Scan], str]
) -> list[str]:
    """Make changed scans, and scans whose result is gone, pending; return a sentence for each.

    A scan whose files are missing keeps its result. A scan of an earlier version's manifest, which
    has no fingerprints, gets its present one.

    Parameters
    ----------
    folder : folder of the cohort.
    result_name : returns the name of the denoised scan in the folder of its result.
    """
    repeated = []
    for scan, state, known in manifest.scans():
        now = fingerprint(scan)
        result = folder / SCANS / scan.name
        if now and known and now != known:
            reason = REPLACED
        elif state == DONE and not (result / result_name(scan)).exists():
            reason = LOST
        else:
            if now and not known:
                manifest.set_fingerprint(scan.name, now)
            continue
        if state != PENDING or result.exists():
            repeated.append(f"{scan.name}: {reason}")
        # The result goes first: if this process is killed in between, the next one sees the change.
        remove_folder(result)
        manifest.repeat(scan.name, now or known)
    return repeated
