"""Reading of a JSON file that the user gives."""

from __future__ import annotations

import json
from pathlib import Path

from ..ct.io.data_files import check_regular
from ..errors import BadInputError


def read_json(path: Path) -> dict:
    """Return the JSON object in a file of settings or in a report.

    Raises
    ------
    BadInputError
        If the file cannot be read, is not JSON, or holds something else than an object.
    """
    check_regular(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON in UTF-8: give settings or a report.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} does not contain settings by name: give a JSON object.")
    return values
