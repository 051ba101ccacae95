"""JSON text that every reader accepts."""

from __future__ import annotations

import json
import math


def json_text(values: object, **options) -> str:
    """Return values as JSON text; ``options`` are those of :func:`json.dumps`.

    A number that is not finite becomes null, because JSON has neither NaN nor infinity.
    """
    return json.dumps(_finite(values), allow_nan=False, **options)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
