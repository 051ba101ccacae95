"""Reports, figures and pages beside a result. Their failure never decides over the result."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInputError, Cancelled, one_line
from ..exit_codes import DONE, INCOMPLETE
from ..printed_words import print_warnings
from .staged_files import free_name


class SideOutputs:
    """Outputs that are written when the result is safe.

    >>> side_outputs = SideOutputs()
    >>> with side_outputs.writing(path):
    ...     path.write_text("report")
    """

    def __init__(self):
        self.exit_code = DONE

    def place(self, path: Path) -> Path:
        """Return the path for a file: another one if something lies there, with a warning.

        An older file was removed together with the older result, so it is new and not replaced.
        """
        if not os.path.exists(path):
            return path
        place = free_name(path)
        self.exit_code = INCOMPLETE
        print_warnings(
            [f"{path} appeared or changed during this run, so it is kept: see {place} instead."]
        )
        return place

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Turn an error while a file is made into a warning and the exit code INCOMPLETE."""
        try:
            yield
        except Cancelled:
            raise
        except Exception as error:
            self.exit_code = INCOMPLETE
            text = one_line(error)
            if not isinstance(error, BadInputError):
                text = f"{path} could not be written ({type(error).__name__}: {text})."
            print_warnings([f"{text} The result is complete without this file."])
