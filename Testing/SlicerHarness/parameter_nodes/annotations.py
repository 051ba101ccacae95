"""What may stand beside the type in ``Annotated[...]``, besides the validators."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Default:
    """The value of a parameter that the node does not have yet."""

    value: Any = None


def split(annotated: Any) -> tuple[Any, list[Any]]:
    """The type, and what is annotated to it."""
    if typing.get_origin(annotated) is Annotated:
        kind, *extras = typing.get_args(annotated)
        return kind, extras
    return annotated, []


def first(extras: list[Any], kind: type) -> Any:
    """The first annotation of that kind, or None."""
    return next((e for e in extras if isinstance(e, kind)), None)
