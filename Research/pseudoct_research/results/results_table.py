"""Results as a CSV file and as a block of a Markdown page."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Row
from PseudoCTDenoiseLib.temporary_files import replace_file


def write_csv(path: str | os.PathLike, rows: Sequence[Row]) -> None:
    """Write rows in UTF-8; the columns are all keys in order of appearance."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, keys, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(path, table.getvalue().encode())


def check_no_partial_csv(path: Path) -> None:
    """Check that :func:`growing_csv` will not replace the rows of an interrupted run.

    Raises
    ------
    BadInputError
        If the file with the suffix ``.partial`` exists.
    """
    partial = _partial(path)
    if os.path.lexists(partial):
        raise BadInputError(
            f"{partial} exists. It may hold the results of an interrupted run: rename or delete it."
        )


def _partial(path: Path | None) -> Path:
    return Path(f"{path}.partial")


@contextlib.contextmanager
def growing_csv(
    path: Path | None,
    writing: Callable[[Path], contextlib.AbstractContextManager] = contextlib.nullcontext,
) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Write a CSV file in the course of a long computation; yield the function that adds rows.

    The rows go to a file with the suffix ``.partial`` beside it. It replaces the CSV file at the
    end, and stays if the computation fails or is interrupted. Call :func:`check_no_partial_csv`
    before the computation.

    Parameters
    ----------
    path : the CSV file; without it, nothing is written.
    writing : context in which a file is written, such as :meth:`.SideOutputs.writing`.
    """
    partial, rows = _partial(path), []

    def add(new: Sequence[Row]) -> None:
        rows.extend(new)
        if path:
            with writing(partial):
                write_csv(partial, rows)

    try:
        yield add
    except BaseException:
        if path and rows:
            print(f"The results so far are in {partial}.", file=sys.stderr)
        raise
    if path:
        with writing(path):
            write_csv(path, rows)
            partial.unlink(missing_ok=True)


def read_csv(path: str | os.PathLike) -> list[dict[str, str]]:
    """Read the rows of a CSV file of :func:`write_csv`.

    Raises
    ------
    BadInputError
        If the file cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:  # spreadsheets add a BOM
            return list(csv.DictReader(file))
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} is not a CSV file in UTF-8. Save it as one.") from error


def replace_block(page: str | os.PathLike, marker: str, text: str) -> None:
    """Put ``text`` between ``<!-- marker -->`` and ``<!-- /marker -->`` of a Markdown page.

    Raises
    ------
    BadInputError
        If the page does not hold this pair of lines exactly once.
    """
    content = check_block(page, marker)
    first, last = _marks(marker)
    block = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
    # A function, because backslashes in a replacement string are escapes.
    content = block.sub(lambda _: f"{first}\n{text.strip()}\n{last}", content)
    replace_file(page, content.encode())


def check_block(page: str | os.PathLike, marker: str) -> str:
    """Return the text of a Markdown page, which must hold the block of :func:`replace_block`.

    Raises
    ------
    BadInputError
        If the page cannot be read, or does not hold this pair of lines exactly once.
    """
    content = _text(page)
    first, last = _marks(marker)
    once = (content.count(first), content.count(last)) == (1, 1)
    if not once or content.index(last) < content.index(first):
        raise BadInputError(
            f"{page} lacks the block {marker}. Add one line {first} and, below it, one line {last}."
        )
    return content


def has_block(page: str | os.PathLike, marker: str) -> bool:
    """Return True if a Markdown page has a block.

    Raises
    ------
    BadInputError
        If the page cannot be read.
    """
    return _marks(marker)[0] in _text(page)


def _text(page: str | os.PathLike) -> str:
    try:
        return Path(page).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"Cannot read the page {page}. Give a Markdown file.") from error


def _marks(marker: str) -> tuple[str, str]:
    return f"<!-- {marker} -->", f"<!-- /{marker} -->"
