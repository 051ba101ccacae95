"""Conditions on stored values: TypeError for a wrong type, ValueError for a wrong value."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any


class Validator(abc.ABC):
    @abc.abstractmethod
    def validate(self, value: Any) -> None:
        """Raise an exception, preferably ValueError, if the value is not allowed."""


class IsNone(Validator):
    def validate(self, value: Any) -> None:
        if value is not None:
            raise ValueError(f"{value!r} is not None")


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("None is not allowed")


class IsInstance(Validator):
    """Accepts None, which NotNone rejects."""

    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"{value!r} is of type {type(value)}, not of {self.classtype}")


class WithinRange(Validator):
    """Accepts values from minimum to maximum, inclusive."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within [{self.minimum}, {self.maximum}]")


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"{value} is below {self.minimum}")


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"{value} is above {self.maximum}")


class Choice(Validator):
    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is not one of {self.choices}")


def extractValidators(extras: list[Any]) -> tuple[list[Validator], list[Any]]:
    """Return the annotations that are validators, and the others."""
    validators = [e for e in extras if isinstance(e, Validator)]
    return validators, [e for e in extras if not isinstance(e, Validator)]
