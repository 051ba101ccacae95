"""Queue of received series on disk. Each series is denoised once, also if the node is killed.

Every change of state is one rename, and an image counts when it has its final name.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

from ..durable_file import keep_content, keep_file
from ..errors import BadInputError
from ..temporary_files import link_file, remove_folder
from .log import LOG
from .process_lock import lock_for_process
from .series_record import (
    DENOISING,
    FAILED,
    FINISHED,
    RECEIVING,
    SENDING,
    SENT,
    WAITING,
    SeriesRecord,
    image_files,
    load_record,
)

UID = re.compile(r"(?=.{1,64}\Z)\d+(\.\d+)*")
"""Unique identifier (PS3.5 9.1), which is safe as a file name."""
FREE_BYTES = 256 << 20
"""Free space of the disk that the queue leaves to other programs."""
REMEMBERED = 1000
"""Number of finished series whose identifiers are remembered after their images are removed."""
ATTEMPTS = 3
"""Number of times that a denoising is begun that the end of the node interrupts."""


class Image(NamedTuple):
    """Attributes of a received image that the queue needs."""

    sop_uid: str
    series_uid: str
    description: str


class Transfer(Protocol):
    """A connection over which images come."""

    def is_alive(self) -> bool: ...


class QueueFullError(Exception):
    """An image that has no room in the queue."""


class SeriesQueue:
    """Received series and their states; safe for use from several threads.

    Parameters
    ----------
    folder : created if it is missing. One process at a time uses it.
    disk_bytes : size of images and results above which images are refused.

    Raises
    ------
    BadInputError
        If the folder cannot be used, or another process uses it.
    """

    def __init__(self, folder: Path, disk_bytes: float):
        self.partial = folder / "partial"
        self._folder, self._disk_bytes = folder / "series", disk_bytes
        self._lock = threading.RLock()
        # Whether the proper end of a transfer completes a series of which it sent images.
        self._transfers: dict[Transfer, dict[str, bool]] = {}
        self._failed_transfers: set[Transfer] = set()
        try:
            for path in (folder, self.partial, self._folder):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._process_lock = lock_for_process(folder / "lock")
            remove_folder(self.partial)  # images that were received in part
            self.partial.mkdir(mode=0o700)
        except OSError as error:
            raise BadInputError(f"{folder} cannot hold the queue: {error.strerror}.") from error
        self._series = self._found()
        self.repeat_interrupted()
        self._bytes = sum(series.bytes_on_disk() for series in self._series.values())

    def close(self) -> None:
        """Release the folder for another process."""
        if self._process_lock is not None:
            os.close(self._process_lock)
            self._process_lock = None

    def series(self) -> list[SeriesRecord]:
        """Return all series, the one that waits longest first."""
        with self._lock:
            return sorted(self._series.values(), key=lambda series: series.changed)

    def add(self, path: Path, image: Image, sender: str, transfer: Transfer) -> None:
        """Take the file of a received image, which is on disk when the function returns.

        An image that comes again with other content replaces the former one.

        Raises
        ------
        ValueError
            If an identifier of the image is not a valid UID.
        QueueFullError
            If the disk has no room.
        """
        with self._lock:
            for uid in (image.sop_uid, image.series_uid):
                if not UID.fullmatch(uid):
                    raise ValueError(f"'{uid}' is not a valid UID")
            series = self._series.get(image.series_uid)
            target = self._folder / image.series_uid / "images" / f"{image.sop_uid}.dcm"
            is_new = not target.exists()
            if is_new:
                known = series.denoised.get(image.sop_uid) if series is not None else None
                is_changed = bool(known) and known != _sha256(path)
            else:
                is_changed = not filecmp.cmp(path, target, shallow=False)
            if is_new or is_changed:
                self._make_room(path.stat().st_size)
                is_new = not target.exists()  # room may have been made of the series itself
            if series is None:
                series = self._new_series(image.series_uid)
            series.last_image = time.monotonic()
            series.sender, series.description = sender, image.description
            if transfer not in self._transfers:
                self._forget_dead_transfers()  # this one comes after them, so it may complete them
            self._transfers.setdefault(transfer, {}).setdefault(series.uid, True)
            is_repeated = image.sop_uid in series.denoised and series.state == SENDING
            if is_changed and (series.denoised or series.state == DENOISING):
                series.is_changed, is_repeated = True, False
                series.save()
            if not is_repeated:
                _reopen(series)
            if is_new or is_changed:
                target.parent.mkdir(exist_ok=True)
                growth = path.stat().st_size - (0 if is_new else target.stat().st_size)
                keep_file(path, target)
                self._bytes += growth
            for other in self._series.values():
                if image.sop_uid in other.missing:
                    other.missing.remove(image.sop_uid)
                    other.save()

    def fail(self, transfer: Transfer, sop_uid: str = "", series_uid: str = "") -> None:
        """Remember that an image was refused: its series are incomplete until it comes.

        Parameters
        ----------
        sop_uid, series_uid : the image and its series, as far as they are known. Without a series,
            all series of the transfer are incomplete.
        """
        with self._lock:
            known = UID.fullmatch(series_uid)
            if not known:
                self._failed_transfers.add(transfer)
            for uid in [series_uid] if known else self._transfers.get(transfer, ()):
                series = self._series.get(uid) or self._new_series(uid)
                if sop_uid and sop_uid not in series.missing:
                    series.missing.append(sop_uid)
                    series.save()
                _reopen(series)

    def _new_series(self, uid: str) -> SeriesRecord:
        series = SeriesRecord(self._folder / uid, uid)
        series.folder.mkdir(exist_ok=True)
        series.save()
        self._series[uid] = series
        return series

    def end_transfer(self, transfer: Transfer) -> None:
        """Note that a transfer ended properly."""
        with self._lock:
            is_complete = transfer not in self._failed_transfers
            for uid, counts in self._transfers.pop(transfer, {}).items():
                series = self._series.get(uid)
                is_whole = is_complete and counts and series and not series.missing
                if is_whole and not self._is_arriving(uid):
                    series.is_open = False
                    series.save()
            self._failed_transfers.discard(transfer)

    def abort_transfer(self, transfer: Transfer) -> None:
        """Note that a transfer was cut off."""
        with self._lock:
            for uid in self._transfers.pop(transfer, ()):
                # A transfer that runs already does not send what this one did not.
                for other in self._transfers.values():
                    if uid in other:
                        other[uid] = False
            self._failed_transfers.discard(transfer)

    def complete_quiet_series(self, quiet_seconds: float) -> None:
        """Let series wait for their denoising whose transfer has ended and that no longer grow."""
        with self._lock:
            self._forget_dead_transfers()
            for series in self._series.values():
                quiet = time.monotonic() - series.last_image >= quiet_seconds
                if series.state == RECEIVING and quiet and not self._is_arriving(series.uid):
                    self._complete(series)

    def next_waiting(self) -> SeriesRecord | None:
        """Return the series that waits longest for its denoising."""
        return next((series for series in self.series() if series.state == WAITING), None)

    def begin(self, series: SeriesRecord, snapshot: Path) -> bool:
        """Start the denoising of a series: link its images into a new folder.

        Return False if an image came since :meth:`next_waiting`, so the series waits no longer.
        """
        with self._lock:
            if series.state != WAITING:
                return False
            snapshot.mkdir()
            for path in image_files(series.images):
                link_file(path, snapshot / path.name)
            series.change(DENOISING, series.words, attempts=series.attempts + 1)
            return True

    def deliver(self, series: SeriesRecord, output: Path, snapshot: Path, doubts: str = "") -> bool:
        """Take the derived series of a snapshot; return False if the series changed meanwhile."""
        denoised = {path.stem: _sha256(path) for path in image_files(snapshot)}
        keep_content(output)
        with self._lock:
            if self._changed_meanwhile(series, snapshot):
                return False
            remove_folder(series.result)
            os.replace(output, series.result)
            values = {"denoised": denoised, "derived": len(image_files(series.result))}
            series.change(SENDING, doubts=doubts, has_former=False, **values)
            self._bytes += _size(series.result)
            return True

    def _changed_meanwhile(self, series: SeriesRecord, snapshot: Path) -> bool:
        """Let a series wait for a new denoising if it differs from the snapshot of the last one."""
        uids = {path.stem for path in image_files(snapshot)}
        if series.image_uids() == uids and not series.is_changed and not series.missing:
            return False
        what = "changed" if series.is_changed else "grew"
        _receive_on(series, f"The series {what} while it was denoised, so it is denoised again.")
        return True

    def repeat_interrupted(self, by_kill: bool = True) -> None:
        """Let series wait again whose denoising was interrupted; nothing of them was sent.

        The end of the node may be due to the series; other interruptions, such as a full disk, are
        not counted as attempts.
        """
        with self._lock:
            for series in self._series.values():
                if series.state != DENOISING:
                    continue
                remove_folder(series.result)
                if series.is_open:  # images came meanwhile, and others may be missing
                    _receive_on(series, "The denoising was interrupted while images came.")
                elif not by_kill:
                    series.change(WAITING, series.words, attempts=series.attempts - 1)
                elif series.attempts >= ATTEMPTS:
                    words = f"The node ended {ATTEMPTS} times while it denoised this series."
                    series.change(FAILED, f"{words} Send the series again to try once more.")
                else:
                    series.change(WAITING, "The denoising was interrupted; it is repeated.")

    def fail_series(
        self, series: SeriesRecord, words: str, snapshot: Path, state: str = FAILED
    ) -> None:
        """Set a series aside whose denoising failed; it is tried again if it is sent again.

        A series that changed since the snapshot is tried again immediately, and one that gets the
        state WAITING later.
        """
        with self._lock:
            if not self._changed_meanwhile(series, snapshot):
                series.change(state, words, attempts=0)

    def repeat_lost(self, series: SeriesRecord) -> None:
        """Let a series be denoised again of whose derived series files were lost on the disk."""
        with self._lock:
            words = (
                "Files of the derived series were lost on the disk; the series is denoised again."
            )
            is_changed = series.is_changed or series.has_former
            values = {"denoised": {}, "has_former": is_changed, "is_changed": False}
            size = _size(series.result)
            series.change(RECEIVING, words, attempts=0, **values)
            self._bytes -= size
            remove_folder(series.result)

    def sent(self, series: SeriesRecord, words: str) -> None:
        """Note that all images of a result arrived."""
        with self._lock:
            size = _size(series.result)
            is_other = series.is_changed or not series.image_uids() <= set(series.denoised)
            series.change(RECEIVING if is_other else SENT, words)
            self._bytes -= size
            remove_folder(series.result)

    def say(self, series: SeriesRecord, words: str) -> None:
        """Change the words about a series and keep its state."""
        with self._lock:
            series.words = words
            series.save()

    def remove_old(self, keep_seconds: float) -> None:
        """Remove the images of series that finished long ago, and the oldest memories."""
        with self._lock:
            for series in self.series():
                interrupted = series.state == RECEIVING and series.is_open
                is_old = time.time() - series.changed > keep_seconds
                idle = time.monotonic() - series.last_image > keep_seconds
                has_more = bool(series.missing) or series.images.exists()
                if series.state in FINISHED and is_old and has_more:
                    self._remove_images(series)
                elif interrupted and idle and not self._is_arriving(series.uid):
                    self._remove_images(series)
                    series.change(FAILED, "The series was never received completely.")
            finished = [series for series in self.series() if series.state in FINISHED]
            remembered = [series for series in finished if not series.images.exists()]
            for series in remembered[: max(len(remembered) - REMEMBERED, 0)]:
                remove_folder(series.folder)
                del self._series[series.uid]

    def remove_abandoned_parts(self, seconds: float) -> None:
        """Remove files of images whose transfer was cut off, when they are older than a time."""
        for path in self.partial.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()

    def _found(self) -> dict[str, SeriesRecord]:
        """Return the series on disk."""
        found = {}
        for folder in sorted(self._folder.iterdir()):
            series = load_record(folder)
            if series is None:
                remove_folder(folder)
                continue
            found[series.uid] = series
        return found

    def _complete(self, series: SeriesRecord) -> None:
        images, denoised = series.image_uids(), set(series.denoised)
        if not images:
            series.change(FAILED, "No image was received completely. Send the series again.")
        elif images <= denoised and not (series.is_changed or series.has_former or series.missing):
            series.change(SENT, "The series came again; its derived series was sent before.")
        elif series.is_open:
            words = f"The transfer was cut off after {len(images)} images: send the series again."
            if series.words != words:
                LOG.warning("%s: %s", series.uid, words)
                series.change(RECEIVING, words)
            return
        elif denoised - images:
            new = len(images - denoised)
            words = (
                f"{f'{new} images came' if new else 'Images came again with other content'} after "
                f"the {len(denoised)} images of a series that was denoised, and these were "
                "removed: send the whole series again."
            )
            series.change(FAILED, words)
        elif series.is_changed or series.has_former:
            words = (
                "Images came again with other content after the series was denoised, so it is "
                "denoised again. The earlier derived series has the former content: remove it "
                "where it was sent to."
            )
            series.change(WAITING, words, is_changed=False, has_former=True)
        elif denoised:
            words = (
                f"The series grew from {len(denoised)} to {len(images)} images after it was "
                "denoised, so it is denoised again as a whole. The earlier derived series lacks "
                "the new images."
            )
            series.change(WAITING, words)
        else:
            series.change(WAITING)
        LOG.info("%s: %s, %d images. %s", series.uid, series.state, len(images), series.words)

    def _is_arriving(self, uid: str) -> bool:
        return any(uid in series for series in self._transfers.values())

    def _forget_dead_transfers(self) -> None:
        for transfer in {*self._transfers, *self._failed_transfers}:
            if not transfer.is_alive():
                self.abort_transfer(transfer)

    def _make_room(self, size: int) -> None:
        """Remove images of finished series until a file has room; the oldest go first."""
        for series in self.series():
            if self._has_room(size):
                return
            if series.state in FINISHED and not self._is_arriving(series.uid):
                self._remove_images(series)
        if not self._has_room(size):
            used, limit = self._bytes / 2**30, self._disk_bytes / 2**30
            raise QueueFullError(
                f"The queue is full: it uses {used:.2f} of {limit:.2f} GiB. Free space on the "
                "disk, raise disk_gib, or wait until series are sent."
            )

    def _has_room(self, size: int) -> bool:
        free = shutil.disk_usage(self._folder).free
        return self._bytes + size <= self._disk_bytes and size + FREE_BYTES <= free

    def _remove_images(self, series: SeriesRecord) -> None:
        self._bytes -= series.bytes_on_disk()
        series.remove_images()
        if series.missing:
            series.missing = []
            series.save()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in image_files(folder))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _reopen(series: SeriesRecord) -> None:
    """Let a series wait for the proper end of a transfer."""
    if series.state in (*FINISHED, WAITING):
        series.change(RECEIVING, attempts=0, is_open=True)
    elif not series.is_open:
        series.is_open = True
        series.save()


def _receive_on(series: SeriesRecord, words: str) -> None:
    """Let a series of which images came while it was denoised wait until it is complete."""
    still = series.is_changed and bool(series.denoised)
    series.change(RECEIVING, words, attempts=0, is_changed=still)
