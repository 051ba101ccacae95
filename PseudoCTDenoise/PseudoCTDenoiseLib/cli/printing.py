"""Standard output and error whose failures never decide about the work."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def printing_without_errors() -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that ignore failures.

    A stream may be closed, its reader may have gone, or its disk may be full. After the first
    failure nothing more is printed on it.
    """
    _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    streams = _QuietStream(sys.stdout), _QuietStream(sys.stderr)
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

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self._works = stream is not None

    def write(self, text: str) -> int:
        self._call("write", text)
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
            except (OSError, ValueError):  # ValueError: the stream was closed
                self._works = False
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
