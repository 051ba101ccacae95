"""Error message for a full disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import BadInputError


@contextmanager
def explain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn an error while writing to a folder into a message for the user.

    Raises
    ------
    BadInputError
        Instead of an OSError.
    """
    try:
        yield
    except OSError as error:  # numpy raises it with a text only
        raise BadInputError(
            f"The scan could not be written to {folder.resolve()} "
            f"({error.strerror or error}): free some space there."
        ) from error
