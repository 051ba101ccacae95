"""What is said where there is no space for a scan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import BadInputError


@contextmanager
def space_in_words(folder: Path) -> Iterator[None]:
    """Turns an error of writing to a folder into one that the user understands.

    Raises
    ------
    BadInputError
        In place of an OSError.
    """
    try:
        yield
    except OSError as error:  # numpy's own has a text and no number
        raise BadInputError(
            f"The scan could not be written to {folder.resolve()} "
            f"({error.strerror or error}): free some space there."
        ) from error
