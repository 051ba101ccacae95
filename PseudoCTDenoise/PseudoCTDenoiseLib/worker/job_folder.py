"""The private folder through which a scan goes to the worker, and its results come back."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..ct.hu_validation import checked_int16
from ..ct.io.disk_space import space_in_words
from ..ct.io.slice_file import SliceFile
from ..errors import BadInputError
from ..temporary_files import remove_folder

_INPUT, _REQUEST = "input.npy", "job.json"


@dataclass(frozen=True)
class JobRequest:
    """What the worker is to do with the scan in the folder.

    ``settings`` are those of the engine by name, defaults may be left out; ``models_folder`` None
    takes the models that are installed with the module; ``preview_slice`` None the slice with the
    most organs; ``pixel_mm`` is the side of a pixel, None if it is not known.
    """

    settings: dict
    model: str = "fast"
    want_noise: bool = True
    preview_slice: int | None = None
    preview_seconds: float = 3.0
    models_folder: str | None = None
    pixel_mm: float | None = None


class JobFolder:
    """A folder that the user alone can read: scans are patients' data.

    A method that cannot write raises BadInputError in words; :meth:`remove` always works.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @classmethod
    def named(cls, parent: Path | str | None = None) -> JobFolder:
        """Choose a new name, in the system's folder for temporary files or in ``parent``.

        Nothing is there until :meth:`create`, so the caller can arrange for the removal first. The
        folder is also removed when nobody holds this object any more, as at the end of a program
        that did not wait.

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
            If this is not possible there.
        """
        with _creation_in_words():
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:  # a folder of somebody else
                self._finalizer.detach()
                raise

    @classmethod
    def make(cls, parent: Path | str | None = None) -> JobFolder:
        """Choose a name and create the folder; see :meth:`named` and :meth:`create`."""
        folder = cls.named(parent)
        folder.create()
        return folder

    def writeJob(self, hu: np.ndarray, request: JobRequest) -> None:
        """The scan, (slices, rows, columns) HU, and what is to be done with it.

        Raises
        ------
        BadInputError
            If there is no space, or the values are no int16 HU.
        """
        self.writeArray(_INPUT, checked_int16(hu))
        text = json.dumps(asdict(request), indent=1)
        with space_in_words(self.path.parent), self._create(_REQUEST) as file:
            file.write(text.encode())

    def readJob(self) -> tuple[SliceFile, JobRequest]:
        request = JobRequest(**json.loads((self.path / _REQUEST).read_text("utf-8")))
        return SliceFile(self.path / _INPUT), request

    def newArray(self, name: str, shape: tuple[int, int, int]) -> SliceFile:
        """A scan's worth of zeros, in a file of this name.

        Raises
        ------
        BadInputError
            If there is no space.
        """
        with space_in_words(self.path.parent):
            self._create(name).close()
        return SliceFile(self.path / name, shape)

    def writeArray(self, name: str, values: np.ndarray) -> None:
        """Raises
        ------
        BadInputError
            If there is no space.
        """
        with space_in_words(self.path.parent), self._create(name) as file:
            np.save(file, values, allow_pickle=False)

    def readArray(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An int16 array of this shape.

        Raises
        ------
        BadInputError
            If the file is missing, damaged or holds something else.
        """
        try:
            if Path(name).name != name:
                raise ValueError("the name leads out of the folder")
            values = np.load(self.path / name, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise BadInputError(f"{name} could not be read ({error}): run it again.") from error
        if values.dtype != np.int16 or values.shape != shape:
            raise BadInputError(
                f"{name} holds {values.dtype} {values.shape} where int16 {shape} belongs: "
                "run it again."
            )
        return values

    def removeFile(self, name: str) -> None:
        """Remove a file that is no longer needed, if that is possible."""
        try:
            (self.path / name).unlink()
        except OSError:  # gone, or on Windows still being read
            return

    def remove(self) -> None:
        """Remove the folder with everything in it; may be called again."""
        remove_folder(self.path)

    def _create(self, name: str):
        return open(self.path / name, "wb", opener=_private)


@contextmanager
def _creation_in_words() -> Iterator[None]:
    """Turn an error of creating a folder into one that the user understands."""
    try:
        yield
    except OSError as error:
        raise BadInputError(
            f"No temporary folder can be made ({error}): free some space or choose another "
            "folder for temporary files."
        ) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
