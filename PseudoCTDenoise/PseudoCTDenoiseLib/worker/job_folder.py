"""The private folder that carries a scan to the worker and its results back."""

from __future__ import annotations

import contextlib
import json
import math
import os
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..ct.hu_validation import checked_int16
from ..ct.io.disk_space import explain_disk_errors
from ..ct.io.slice_file import SliceFile
from ..denoising.map_choice import ENSEMBLE, MAP_CHOICES
from ..denoising.settings import DenoisingSettings, settings_from_values
from ..errors import BadInputError, one_line
from ..json_text import json_text
from ..models.catalog import DEFAULT_MODEL
from ..temporary_files import TemporaryFolder, remove_abandoned, temporary_parent
from .job_mark import JOB_PREFIX, mark_job_folder, open_file, remove_job_folder

_INPUT, _REQUEST = "input.npy", "job.json"

PREVIEW_SECONDS = 3.0
"""Shortest time between two previews of a running job, in seconds."""


@dataclass(frozen=True)
class JobRequest:
    """The work that the worker does on the scan in the folder.

    ``maps`` is one of :data:`.MAP_CHOICES`. ``preview_slice`` is None for the slice with the most
    organs. ``preview_seconds`` is the shortest time between two previews, or None for no previews.
    ``pixel_mm`` is the side of a pixel in mm, None if it is not known.
    """

    settings: DenoisingSettings
    model: str = DEFAULT_MODEL
    maps: str = ENSEMBLE
    preview_slice: int | None = None
    preview_seconds: float | None = PREVIEW_SECONDS
    pixel_mm: float | None = None


class JobFolder:
    """A folder that only the user can read, because scans are patient data.

    A method that cannot write raises BadInputError; :meth:`remove` never fails.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._temporary: TemporaryFolder | None = None

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
        parent = temporary_parent() if parent is None else os.path.abspath(parent)
        temporary = TemporaryFolder(parent, JOB_PREFIX)
        folder = cls(temporary.path)
        folder._temporary = temporary
        weakref.finalize(folder, temporary.remove)
        return folder

    def create(self) -> None:
        """Create the folder, and remove those that killed processes left beside it.

        Raises
        ------
        BadInputError
            If the folder cannot be created.
        """
        try:
            self._temporary.create()
            mark_job_folder(self.path)
        except OSError as error:
            raise BadInputError(
                f"Cannot create a temporary folder ({error}). Free some space or choose another "
                "folder for temporary files."
            ) from error

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
            If a file is missing or damaged, or a value is unknown, missing or out of range.
        """
        try:
            with open_file(self.path / _REQUEST) as file:
                request = _request_from(json.load(file))
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            raise BadInputError(f"The file {_REQUEST} of the job is damaged: {error}") from error
        try:
            open_file(self.path / _INPUT).close()
            return SliceFile(self.path / _INPUT), request
        except Exception as error:  # numpy raises many kinds of errors for damaged files
            raise BadInputError(f"The file {_INPUT} of the job is damaged: {error}") from error

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
            with open_file(self.path / name) as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError("unknown version")
                found, in_fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
                if (found, in_fortran_order, dtype) != (shape, False, np.int16):
                    raise ValueError(f"it contains {dtype} {found} instead of int16 {shape}")
                values = np.empty(shape, np.int16)  # only now: the header may give any shape
                if file.readinto(values) != values.nbytes or file.read(1):
                    raise ValueError("its length is wrong")
        except Exception as error:  # numpy raises many kinds of errors for damaged files
            raise BadInputError(f"Cannot read {name} ({one_line(error)}). Run it again.") from error
        return values

    def remove_file(self, name: str) -> None:
        """Remove a file if possible."""
        try:
            (self.path / name).unlink()
        except OSError:  # already removed, or on Windows still open
            return

    def remove(self) -> None:
        """Remove the folder and its content; calling it again has no effect."""
        if self._temporary is None:
            remove_job_folder(self.path)
        else:
            self._temporary.remove()

    def _create(self, name: str):
        self.remove_file(name)  # a link in its place would lead to another file
        return open(self.path / name, "xb", opener=_private)


def _request_from(values: object) -> JobRequest:
    """Return a request from the values of its file.

    Raises
    ------
    BadInputError
        If a value is unknown, missing or out of range.
    """
    known = JobRequest.__dataclass_fields__
    if not isinstance(values, dict) or not values.keys() <= known.keys():
        raise BadInputError(f"it must be an object with only {', '.join(known)}.")
    if not isinstance(values.get("settings"), dict):
        raise BadInputError("it contains no settings.")
    request = JobRequest(**values | {"settings": settings_from_values(values["settings"])})
    for name, (fits, kind) in _REQUEST_VALUES.items():
        value = getattr(request, name)
        if not fits(value):
            raise BadInputError(f"{name} must be {kind}, not {value!r:.80}.")
    return request


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and value >= 0  # not NaN


_REQUEST_VALUES = {
    "model": (lambda value: isinstance(value, str), "a name"),
    "maps": (lambda value: value in MAP_CHOICES, " or ".join(MAP_CHOICES)),
    "preview_slice": (
        lambda value: value is None or (type(value) is int and value >= 0),
        "null or the number of a slice",
    ),
    "preview_seconds": (
        lambda value: value is None or (_is_number(value) and value < math.inf),
        "null or a number of seconds",
    ),
    "pixel_mm": (
        lambda value: value is None or (_is_number(value) and 0 < value < math.inf),
        "null or a positive number of mm",
    ),
}
"""Values of a request: name → (check, description)."""


def remove_abandoned_jobs() -> None:
    """Remove the folders of jobs whose process was killed; those of running processes stay."""
    with contextlib.suppress(BadInputError):  # the system has no folder for temporary files
        remove_abandoned(Path(temporary_parent()), JOB_PREFIX)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
