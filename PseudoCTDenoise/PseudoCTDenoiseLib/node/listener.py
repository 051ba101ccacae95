"""The DICOM node: receives series, denoises them one at a time and sends the derived series."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Sequence

from ..errors import BadInputError
from ..exit_codes import DONE
from ..temporary_files import remove_folder
from .configuration import NodeConfiguration
from .denoise_options import denoise_options
from .denoising_child import DenoisingChild, Outcome
from .log import LOG
from .receiver import Receiver
from .sender import SendingError, UnreachableError, send_series
from .series_queue import SeriesQueue
from .series_record import FAILED, RECEIVING, SENDING, WAITING, SeriesRecord, image_files
from .status_page import write_status_page

STEP_SECONDS = 0.2
"""Interval at which the node looks after its series."""
TIDY_SECONDS = 1.0
"""Interval at which the node removes what is old and writes its status page."""
FULL_DISK = os.strerror(errno.ENOSPC)
"""Words in the message of a child that had no room for its files."""


class Listener:
    """A node that works until it is closed.

    Parameters
    ----------
    program : start of the command line of `pseudoct` for the children that denoise.

    Raises
    ------
    BadInputError
        If the folder or the address cannot be used.
    """

    def __init__(self, configuration: NodeConfiguration, program: Sequence[str]):
        self._configuration, self._program = configuration, program
        self._work = configuration.folder / "work"
        self._queue = SeriesQueue(configuration.folder, configuration.disk_gib * 2**30)
        self._job: tuple[SeriesRecord, DenoisingChild] | None = None
        self._next_try: dict[str, float] = {}
        self._next_connection = self._next_start = 0.0
        self._tidied, self._page_of = 0.0, None
        self._is_damaged = False
        remove_folder(self._work)  # a killed node leaves it
        try:
            self._receiver = Receiver(configuration, self._queue)
        except BaseException:
            self._queue.close()
            raise

    def run(self, stop: threading.Event) -> None:
        """Work until the event is set."""
        while not stop.wait(STEP_SECONDS):
            try:
                self.step()
            except OSError as error:  # such as a full disk, which need not stay full
                LOG.error("The queue could not be written: %s.", error)
                self._is_damaged = True
                stop.wait(self._configuration.retry_seconds)

    def step(self) -> None:
        """Do what is due now: remove, show, complete, denoise, send."""
        if time.monotonic() - self._tidied >= TIDY_SECONDS:
            self._tidied = time.monotonic()
            self._tidy()
        if self._is_damaged:
            self._end_job()
            self._queue.repeat_interrupted(by_kill=False)
            self._is_damaged = False
        self._receiver.abort_large_images()
        self._queue.complete_quiet_series(self._configuration.quiet_seconds)
        self._denoise()
        self._send()

    def _tidy(self) -> None:
        """Remove what is old, which makes room on a full disk, and show the series."""
        configuration = self._configuration
        for remove, seconds in (
            (self._queue.remove_old, configuration.keep_hours * 3600),
            (self._queue.remove_abandoned_parts, 10 * configuration.idle_seconds),
        ):
            try:
                remove(seconds)
            except OSError as error:
                LOG.error("Old images could not be removed: %s.", error)
                self._tidied = time.monotonic() + configuration.retry_seconds
        self._show()

    def close(self) -> None:
        """End the transfers and the child; the next start goes on where this one ended."""
        self._receiver.close()
        self._end_job()
        self._queue.close()

    def _end_job(self) -> None:
        if self._job is not None:
            self._job[1].kill()
            self._job = None
        remove_folder(self._work)

    def _denoise(self) -> None:
        if self._job is not None:
            series, child = self._job
            outcome = child.outcome()
            if outcome is None:
                return
            self._job = None
            try:
                self._finish(series, outcome)
            finally:
                remove_folder(self._work)  # its links would keep images of patients on the disk
        if time.monotonic() < self._next_start:
            return
        if (series := self._queue.next_waiting()) is not None:
            self._start(series)

    def _start(self, series: SeriesRecord) -> None:
        remove_folder(self._work)
        self._work.mkdir(mode=0o700)
        snapshot = self._work / "series"
        if not self._queue.begin(series, snapshot):
            return
        LOG.info("%s: denoising %d images.", series.uid, len(series.image_uids()))
        try:
            child = DenoisingChild(
                self._program,
                snapshot,
                self._work / "derived",
                self._work,
                denoise_options(self._configuration.denoise),
                self._configuration.time_limit_minutes * 60,
            )
        except OSError as error:
            self._queue.fail_series(series, f"The process cannot start: {error}.", snapshot)
            remove_folder(self._work)
            return
        self._job = series, child

    def _finish(self, series: SeriesRecord, outcome: Outcome) -> None:
        """Take the result of a child, or say why there is none."""
        derived, snapshot = self._work / "derived", self._work / "series"
        if outcome.code != DONE or not image_files(derived):
            words = outcome.words or "The denoising failed without a message."
            is_full = FULL_DISK in words
            if is_full:
                seconds = self._configuration.retry_seconds
                self._next_start = time.monotonic() + seconds
                words = f"{words} Next attempt after {seconds:g} s."
            LOG.warning("%s: not denoised. %s", series.uid, words)
            self._queue.fail_series(series, words, snapshot, WAITING if is_full else FAILED)
            if series.state == RECEIVING:
                LOG.info("%s: %s", series.uid, series.words)
            return
        if not self._queue.deliver(series, derived, snapshot, outcome.words):
            LOG.info("%s: %s", series.uid, series.words)
        elif outcome.words:
            LOG.warning("%s: denoised. %s", series.uid, outcome.words)

    def _send(self) -> None:
        """Send the results that are due."""
        if time.monotonic() < self._next_connection:
            return
        for series in self._queue.series():
            if series.state != SENDING or time.monotonic() < self._next_try.get(series.uid, 0):
                continue
            configuration = self._configuration
            paths = image_files(series.result)
            if not paths or series.derived not in (0, len(paths)):
                self._queue.repeat_lost(series)
                LOG.warning("%s: %s", series.uid, series.words)
                continue
            try:
                send_series(paths, configuration.ae_title, configuration.send_to)
            except SendingError as error:
                seconds = configuration.retry_seconds
                self._next_try[series.uid] = time.monotonic() + seconds
                if isinstance(error, UnreachableError):  # for the other series, too
                    self._next_connection = time.monotonic() + seconds
                words = f"{error}. Next attempt after {seconds:g} s."
                if words != series.words:
                    LOG.warning("%s: %s", series.uid, words)
                    self._queue.say(series, words)
                return
            self._next_try.pop(series.uid, None)
            words = f"{len(paths)} images sent to {configuration.send_to.ae_title}."
            LOG.info("%s: %s", series.uid, words)
            self._queue.sent(series, words)

    def _show(self) -> None:
        """Write the status page if something changed."""
        series = self._queue.series()
        shown = [(each.uid, each.changed, each.state, each.words) for each in series]
        if shown == self._page_of:
            return
        self._page_of = shown
        try:
            write_status_page(self._configuration, series)
        except BadInputError as error:  # a full disk must not end the node
            LOG.warning("The status page was not written. %s", error)
