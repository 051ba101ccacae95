"""Splits a byte stream into lines."""

from __future__ import annotations

import codecs

LONGEST_LINE = 2**28
"""Number of characters after which a line is split; no message is as long."""


class TextLines:
    """Joins the pieces of a stream and splits them into lines.

    A piece may end anywhere, even inside a character. Invalid UTF-8 becomes U+FFFD.
    """

    def __init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun: list[str] = []
        self._length = 0

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that this piece completes, without line ends."""
        first, *others = self._decoder.decode(piece).split("\n")
        # Joined only once, because a line may come in thousands of pieces.
        self._begun.append(first)
        self._length += len(first)
        if not others and self._length <= LONGEST_LINE:
            return []
        lines = ["".join(self._begun), *others]
        rest = lines.pop() if others else ""
        self._begun, self._length = [rest], len(rest)
        return [line.rstrip("\r") for line in lines]

    def end(self) -> list[str]:
        """Return the incomplete last line as a list of one, or an empty list."""
        rest = "".join([*self._begun, self._decoder.decode(b"", final=True)])
        self._begun, self._length = [], 0
        return [rest.rstrip("\r")] if rest else []
