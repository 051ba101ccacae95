"""Lines are complete, wherever the stream is split."""

from __future__ import annotations

import pytest
from PseudoCTDenoiseLib.worker.text_lines import TextLines

TEXT = "eins\nzwölf Äpfel 肺\r\n\nlast"


def lines_of(pieces: list[bytes]) -> list[str]:
    lines = TextLines()
    return [line for piece in pieces for line in lines.feed(piece)] + lines.end()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_pieces_may_end_anywhere(size):
    content = TEXT.encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert lines_of(pieces) == ["eins", "zwölf Äpfel 肺", "", "last"]


def test_invalid_utf8_is_replaced():
    assert lines_of([b"a\xffb\n", b"end\xe2\x82"]) == ["a\ufffdb", "end\ufffd"]


def test_a_line_is_told_when_it_is_complete_and_not_before():
    lines = TextLines()
    assert lines.feed(b"ha") == []
    assert lines.feed(b"lf\n") == ["half"]
    assert lines.end() == []
