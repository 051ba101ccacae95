"""Annotations of a type in ``Annotated[...]`` other than validators."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any

UNIONS = (typing.Union, types.UnionType)
"""Origins of ``Union[A, B]`` and ``A | B``."""


@dataclass(frozen=True)
class Default:
    """The initial value of a parameter."""

    value: Any = None


def split(annotated: Any) -> tuple[Any, list[Any]]:
    """Return the type and its annotations."""
    if typing.get_origin(annotated) is Annotated:
        kind, *extras = typing.get_args(annotated)
        return kind, extras
    return annotated, []


def first(extras: list[Any], kind: type) -> Any:
    """Return the first annotation of that kind, or None."""
    return next((e for e in extras if isinstance(e, kind)), None)
