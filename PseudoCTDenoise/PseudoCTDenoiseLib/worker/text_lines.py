"""Whole lines from bytes that come in pieces."""

from __future__ import annotations

import codecs


class TextLines:
    """Puts a stream's pieces together again.

    Pieces may end anywhere, within a letter too. Bytes that are no UTF-8 become U+FFFD.
    """

    def __init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes, without their ends."""
        self._rest += self._decoder.decode(piece)
        *lines, self._rest = self._rest.split("\n")
        return [line.rstrip("\r") for line in lines]

    def end(self) -> list[str]:
        """What the stream ended with, if its last line was not complete."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return [rest.rstrip("\r")] if rest else []
