"""Reports, figures and pages beside a result. Their failure never decides over the result."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadInputError, Cancelled, one_line
from ..exit_codes import DONE, INCOMPLETE
from ..printed_words import print_warnings


class SideOutputs:
    """Outputs that are written when the result is safe.

    >>> side_outputs = SideOutputs()
    >>> with side_outputs.writing(path):
    ...     path.write_text("report")
    """

    def __init__(self):
        self.exit_code = DONE

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
