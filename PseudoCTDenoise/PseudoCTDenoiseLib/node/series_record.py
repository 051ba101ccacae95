"""One series of the queue: its images on disk, and its state in a file that survives a kill."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..durable_file import keep_file
from ..errors import BadInputError
from ..json_text import json_text
from ..temporary_files import remove_folder

RECEIVING, WAITING, DENOISING, SENDING = "receiving", "waiting", "denoising", "sending"
SENT, FAILED = "sent", "not denoised"
FINISHED = (SENT, FAILED)
RECORD = "series.json"


@dataclass
class SeriesRecord:
    """A series and its state.

    Attributes
    ----------
    folder : holds ``images``, the derived series in ``result`` and the state in ``series.json``.
    uid : Series Instance UID.
    is_open : True if the last transfer has not ended properly, so images may be missing.
    is_changed : True if an image was replaced since a derived series was made or begun.
    has_former : True if the derived series was made of images that were replaced since, and no
        other one was made of the new ones yet.
    denoised : SOP Instance UIDs of the images of which a derived series was made, with the SHA-256
        of their files; it is empty in records of earlier versions.
    derived : number of files of the latest derived series; 0 in records of earlier versions.
    missing : SOP Instance UIDs of images that were refused and did not come since.
    attempts : number of times that the denoising was begun since the last image.
    words : what a person should know about the state.
    doubts : what may spoil the latest derived series.
    changed : time of the last change in seconds since 1970.
    last_image : :func:`time.monotonic` of the last image.
    """

    folder: Path
    uid: str
    description: str = ""
    sender: str = ""
    state: str = RECEIVING
    is_open: bool = True
    is_changed: bool = False
    has_former: bool = False
    denoised: dict[str, str] = field(default_factory=dict)
    derived: int = 0
    missing: list[str] = field(default_factory=list)
    attempts: int = 0
    words: str = ""
    doubts: str = ""
    changed: float = field(default_factory=time.time)
    last_image: float = field(default_factory=time.monotonic)

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def result(self) -> Path:
        return self.folder / "result"

    def image_uids(self) -> set[str]:
        """Return the SOP Instance UIDs of the images on disk."""
        return {path.stem for path in image_files(self.images)}

    def bytes_on_disk(self) -> int:
        """Return the size of images and result in bytes."""
        folders = (self.images, self.result)
        return sum(path.stat().st_size for folder in folders for path in image_files(folder))

    def change(self, state: str, words: str = "", **values) -> None:
        """Enter a state and change other attributes; they are on disk when the function returns.

        Raises
        ------
        OSError
            If they cannot be written. Nothing is changed then.
        """
        former = dict(vars(self))
        vars(self).update(state=state, words=words, changed=time.time(), **values)
        try:
            self.save()
        except OSError:
            vars(self).update(former)
            raise

    def save(self) -> None:
        values = asdict(self)
        for name in ("folder", "last_image"):
            del values[name]
        new = self.folder / f"{RECORD}.new"
        with open(new, "w", encoding="utf-8") as file:
            file.write(json_text(values))
        keep_file(new, self.folder / RECORD)

    def remove_images(self) -> None:
        for folder in (self.images, self.result):
            remove_folder(folder)


def image_files(folder: Path) -> list[Path]:
    """Return the images in a folder; those of a derived series are in the order of the slices."""
    return sorted(folder.glob("*.dcm"))


def load_record(folder: Path) -> SeriesRecord | None:
    """Return the series of a folder, or None if its first image was not received completely.

    Raises
    ------
    BadInputError
        If the state cannot be read.
    """
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(values.get("denoised"), list):  # of an earlier version
            values["denoised"] = dict.fromkeys(values["denoised"], "")
        return SeriesRecord(folder=folder, **values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInputError(
            f"{folder / RECORD} is damaged ({error}): move {folder} away and send the series again."
        ) from error
