"""Files that the user gives: a check before they are opened, and reading of JSON."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from .errors import BadInputError


def check_regular(path: Path) -> None:
    """Reject devices and pipes, which may never end.

    Raises
    ------
    BadInputError
        If the path is missing, or is neither a file nor a folder; links are followed.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInputError(f"The file {path} does not exist: check the path.") from error
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be opened ({error.strerror}): check the path."
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise BadInputError(
            f"{path} is a pipe or a device, not a file: save its content to a file and give that."
        )


def read_json(path: Path) -> dict:
    """Return the JSON object in a file, such as settings or a report.

    Raises
    ------
    BadInputError
        If the file cannot be read, is not JSON, or holds something else than an object.
    """
    check_regular(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON in UTF-8 ({error}): check the file.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} does not contain values by name: give a JSON object.")
    return values
