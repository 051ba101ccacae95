"""Lines are complete, wherever the stream is split."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PseudoCTDenoiseLib.worker import text_lines
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


class Text(str):
    """Text that counts the characters that are searched for line ends."""

    searched = 0

    def __add__(self, other):
        return Text(str(self) + str(other))

    def __radd__(self, other):
        return Text(str(other) + str(self))

    def split(self, separator):
        Text.searched += len(self)
        return [Text(part) for part in str.split(self, separator)]


def test_every_character_of_a_line_of_many_pieces_is_searched_once(monkeypatch):
    """Otherwise a line of 50 MB blocks the window for 16 s."""
    lines = TextLines()
    decode = lines._decoder.decode
    lines._decoder = SimpleNamespace(decode=lambda piece: Text(decode(piece)))
    monkeypatch.setattr(Text, "searched", 0)
    for _ in range(1000):
        assert lines.feed(b"x" * 100) == []
    assert [len(line) for line in lines.feed(b"\n")] == [100_000]
    assert Text.searched == 100_001


def test_a_line_without_an_end_does_not_grow_for_ever(monkeypatch):
    monkeypatch.setattr(text_lines, "LONGEST_LINE", 10)
    lines = TextLines()
    assert lines.feed(b"12345678") == []
    assert lines.feed(b"90ab") == ["1234567890ab"]
    assert lines.feed(b"cd\nef") == ["cd"]
    assert lines.end() == ["ef"]
