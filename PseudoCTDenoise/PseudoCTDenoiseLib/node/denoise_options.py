"""Options of `pseudoct denoise` that the configuration of another system may set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import BadInputError

ALLOWED = (
    *("model", "models", "method", "steps", "strength", "device", "seed", "tuning"),
    *("orientations", "settings"),
)
"""Names of the flags, without dashes. Outputs and the choice of the series are not among them."""
PATHS = ("models", "settings")
"""Options whose values are paths."""


def with_paths_from(folder: Path, values: Mapping[str, object]) -> dict[str, object]:
    """Return checked options whose relative paths count from a folder."""
    return {
        name: os.fspath(folder / str(value)) if name in PATHS else value
        for name, value in values.items()
    }


def denoise_options(values: object) -> list[str]:
    """Return settings as arguments, such as ``--strength=70`` for ``{"strength": 70}``.

    The values are checked by the command itself.

    Raises
    ------
    BadInputError
        If the settings are not a JSON object of the allowed names with texts and numbers.
    """
    if not isinstance(values, dict):
        raise BadInputError("The options of denoise must be a JSON object.")
    arguments = []
    for name, value in values.items():
        if name not in ALLOWED:
            raise BadInputError(
                f"denoise has no option '{name}': choose from {', '.join(ALLOWED)}."
            )
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise BadInputError(f"The option '{name}' of denoise must be a text or a number.")
        arguments.append(f"--{name}={value}")
    return arguments
