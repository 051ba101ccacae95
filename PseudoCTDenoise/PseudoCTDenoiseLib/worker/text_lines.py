"""Splits a byte stream into lines."""

from __future__ import annotations

import codecs


class TextLines:
    """Joins the pieces of a stream and splits them into lines.

    A piece may end anywhere, even inside a character. Invalid UTF-8 becomes U+FFFD.
    """

    def __init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that this piece completes, without line ends."""
        self._rest += self._decoder.decode(piece)
        *lines, self._rest = self._rest.split("\n")
        return [line.rstrip("\r") for line in lines]

    def end(self) -> list[str]:
        """Return the incomplete last line as a list of one, or an empty list."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return [rest.rstrip("\r")] if rest else []
