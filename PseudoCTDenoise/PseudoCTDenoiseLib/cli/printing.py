"""Standard output and error whose failures never decide about the work."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def printing_without_errors(own_process: bool) -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that ignore failures.

    A stream may be closed, its reader may have gone, or its disk may be full. After the first
    failure nothing more is printed on it. Characters that its encoding lacks become question marks.

    Parameters
    ----------
    own_process : False if the streams belong to a caller, whose descriptors stay as they are.
    """
    if own_process:
        _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    streams = [_QuietStream(stream, own_process) for stream in before]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


class _QuietStream:
    """A text stream that ignores failures; its other attributes are those of the wrapped one.

    The wrapped stream is None if the process started without it.
    """

    def __init__(self, stream: TextIO | None, discards: bool):
        self._stream = stream
        self._works = stream is not None
        self._discards = discards

    def write(self, text: str) -> int:
        try:
            self._call("write", text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._call("write", text.encode(encoding, "replace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self._call("flush")

    def isatty(self) -> bool:
        return self._works and not self._stream.closed and self._stream.isatty()

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def _call(self, method: str, *arguments: str) -> None:
        if self._works:
            try:
                getattr(self._stream, method)(*arguments)
            except UnicodeEncodeError:
                raise
            except (OSError, ValueError):  # ValueError: the stream was closed
                self._works = False
                if self._discards:
                    _discard(self._stream)


def _discard(stream: TextIO) -> None:
    """Discard what a stream buffers, which Python would print again at its exit."""
    with (
        contextlib.suppress(OSError, ValueError, AttributeError),
        open(os.devnull, "wb") as nothing,
    ):
        os.dup2(nothing.fileno(), stream.fileno())
        stream.flush()


def _open_closed_descriptors() -> None:
    """Open the standard descriptors that are closed, so that no other file gets their numbers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
