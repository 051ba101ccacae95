"""A job folder in one step: the product prepares its removal between name and creation."""

from __future__ import annotations

from pathlib import Path

from PseudoCTDenoiseLib.worker.job_folder import JobFolder


def new_job_folder(parent: Path | None = None) -> JobFolder:
    """Create a job folder in ``parent``, or in the system's temporary folder."""
    folder = JobFolder.named(parent)
    folder.create()
    return folder
