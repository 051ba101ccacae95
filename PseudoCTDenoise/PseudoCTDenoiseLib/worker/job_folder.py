"""The private folder that carries a scan to the worker and its results back."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..ct.hu_validation import checked_int16
from ..ct.io.disk_space import explain_disk_errors
from ..ct.io.slice_file import SliceFile
from ..denoising.settings import DenoisingSettings, settings_from_values
from ..errors import BadInputError
from ..json_text import json_text
from ..temporary_files import remove_folder

_INPUT, _REQUEST = "input.npy", "job.json"

PREVIEW_SECONDS = 3.0
"""Shortest time between two previews of a running job, in seconds."""


@dataclass(frozen=True)
class JobRequest:
    """The work that the worker does on the scan in the folder.

    ``models_folder`` is None for the shipped models. ``preview_slice`` is None for the slice with
    the most organs. ``preview_seconds`` is the shortest time between two previews, or None for no
    previews. ``pixel_mm`` is the side of a pixel in mm, None if it is not known.
    """

    settings: DenoisingSettings
    model: str = "fast"
    want_noise: bool = True
    preview_slice: int | None = None
    preview_seconds: float | None = PREVIEW_SECONDS
    models_folder: str | None = None
    pixel_mm: float | None = None


class JobFolder:
    """A folder that only the user can read, because scans are patient data.

    A method that cannot write raises BadInputError; :meth:`remove` never fails.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @classmethod
    def named(cls, parent: Path | str | None = None) -> JobFolder:
        """Choose a new name in ``parent``, or in the system's temporary folder.

        The folder does not exist until :meth:`create`, so the caller can arrange its removal
        first. The folder is also removed when this object is garbage-collected, for example at
        the end of a script that did not wait.

        Raises
        ------
        BadInputError
            If the system has no folder for temporary files.
        """
        with _creation_in_words():
            parent = os.path.abspath(tempfile.gettempdir() if parent is None else parent)
        folder = cls(os.path.join(parent, f"PseudoCTDenoise-{secrets.token_hex(8)}"))
        folder._finalizer = weakref.finalize(folder, remove_folder, folder.path)
        return folder

    def create(self) -> None:
        """Create the folder.

        Raises
        ------
        BadInputError
            If the folder cannot be created.
        """
        with _creation_in_words():
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:  # this folder belongs to another program
                self._finalizer.detach()
                raise

    @classmethod
    def make(cls, parent: Path | str | None = None) -> JobFolder:
        """Choose a name and create the folder; see :meth:`named` and :meth:`create`."""
        folder = cls.named(parent)
        folder.create()
        return folder

    def write_job(self, hu: np.ndarray, request: JobRequest) -> None:
        """Write the scan, (slices, rows, columns) HU, and the request.

        Raises
        ------
        BadInputError
            If the disk is full, or the values do not fit into int16.
        """
        self.write_array(_INPUT, checked_int16(hu))
        values = asdict(request) | {"settings": request.settings.as_dict()}
        text = json_text(values, indent=1)
        with explain_disk_errors(self.path.parent), self._create(_REQUEST) as file:
            file.write(text.encode())

    def read_job(self) -> tuple[SliceFile, JobRequest]:
        """Read the scan and the request that :meth:`write_job` wrote.

        Raises
        ------
        BadInputError
            If the settings are out of range or unknown.
        """
        request = JobRequest(**json.loads((self.path / _REQUEST).read_text("utf-8")))
        settings = settings_from_values(request.settings)
        return SliceFile(self.path / _INPUT), replace(request, settings=settings)

    def new_array(self, name: str, shape: tuple[int, int, int]) -> SliceFile:
        """Create a file of zeros, int16 (slices, rows, columns).

        Raises
        ------
        BadInputError
            If the disk is full.
        """
        with explain_disk_errors(self.path.parent):
            self._create(name).close()
        return SliceFile(self.path / name, shape)

    def write_array(self, name: str, values: np.ndarray) -> None:
        """Write an array to a file in the folder.

        Raises
        ------
        BadInputError
            If the disk is full.
        """
        with explain_disk_errors(self.path.parent), self._create(name) as file:
            np.save(file, values, allow_pickle=False)

    def read_array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Read an int16 array of this shape.

        Raises
        ------
        BadInputError
            If the file is missing or damaged, or holds another type or shape.
        """
        if Path(name).name != name:
            raise BadInputError(f"Cannot read {name} (outside the job folder). Run it again.")
        try:
            values = np.load(self.path / name, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise BadInputError(f"Cannot read {name} ({reason}). Run it again.") from error
        if values.dtype != np.int16 or values.shape != shape:
            raise BadInputError(
                f"{name} contains {values.dtype} {values.shape} instead of int16 {shape}. "
                "Run it again."
            )
        return values

    def remove_file(self, name: str) -> None:
        """Remove a file if possible."""
        try:
            (self.path / name).unlink()
        except OSError:  # already removed, or on Windows still open
            return

    def remove(self) -> None:
        """Remove the folder and its content; calling it again has no effect."""
        remove_folder(self.path)

    def _create(self, name: str):
        return open(self.path / name, "wb", opener=_private)


@contextmanager
def _creation_in_words() -> Iterator[None]:
    """Turn an OSError into a message for the user."""
    try:
        yield
    except OSError as error:
        reason = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
        raise BadInputError(
            f"Cannot create a temporary folder ({reason}). Free some space or choose another "
            "folder for temporary files."
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
