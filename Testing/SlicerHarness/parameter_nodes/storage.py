"""Store values of each type in a vtkMRMLScriptedModuleNode, in Slicer's format.

A plain value is a parameter, which is a string. A node is a node reference with an empty parameter
of the same name, which distinguishes "None" from "never set". An Optional or Union stores the value
under the name of the alternative, ``name.0`` or ``name.1``. Slicer and the harness can read each
other's scenes.
"""

from __future__ import annotations

import enum
import typing
from typing import Any

import slicer

from .annotations import UNIONS, split
from .validators import IsInstance, IsNone, NotNone, Validator, extractValidators


class Storage:
    """A string parameter, which the subclasses convert."""

    always: list[Validator] = []
    fallback: Any = None

    def isIn(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return node.GetParameter(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class NumberStorage(Storage):
    fallback = 0

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.always = [NotNone(), IsInstance((int, float) if kind is float else int)]

    def read(self, node: Any, name: str) -> Any:
        return self.kind(node.GetParameter(name))


class TextStorage(Storage):
    fallback = ""
    always = [NotNone(), IsInstance(str)]


class BoolStorage(Storage):
    fallback = False
    always = [NotNone(), IsInstance(bool)]

    def write(self, node: Any, name: str, value: bool) -> None:
        node.SetParameter(name, "True" if value else "False")

    def read(self, node: Any, name: str) -> bool:
        return node.GetParameter(name) == "True"


class EnumStorage(Storage):
    """Stores the member's name, so that the values may change between versions."""

    def __init__(self, kind: type[enum.Enum]) -> None:
        self.kind = kind
        self.fallback = next(iter(kind))
        self.always = [IsInstance(kind)]

    def write(self, node: Any, name: str, value: enum.Enum) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> enum.Enum:
        key = node.GetParameter(name)
        try:
            return self.kind[key]
        except KeyError:
            raise ValueError(f"the node has {key!r}, which is not a name in {self.kind}") from None


class NodeStorage(Storage):
    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.always = [IsInstance(kind)]

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneStorage(Storage):
    always = [IsNone()]

    def write(self, node: Any, name: str, value: None) -> None:
        node.SetParameter(name, "True")

    def read(self, node: Any, name: str) -> None:
        return None


class Checked:
    """A storage that validates values before it writes them."""

    def __init__(self, storage: Any, validators: list[Validator]) -> None:
        self.storage = storage
        self.validators = [*storage.always, *validators]
        self.isIn, self.read, self.remove = storage.isIn, storage.read, storage.remove

    def validate(self, value: Any) -> None:
        for validator in self.validators:
            validator.validate(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.validate(value)
        self.storage.write(node, name, value)


class UnionStorage:
    """Stores a value in the first alternative that accepts it."""

    always: list[Validator] = []

    def __init__(self, alternatives: list[Checked]) -> None:
        self.alternatives = alternatives

    @property
    def fallback(self) -> Any:
        optional = len(self.alternatives) == 2 and isinstance(
            self.alternatives[1].storage, NoneStorage
        )
        return None if optional else self.alternatives[0].storage.fallback

    def isIn(self, node: Any, name: str) -> bool:
        return any(a.isIn(node, f"{name}.{i}") for i, a in enumerate(self.alternatives))

    def write(self, node: Any, name: str, value: Any) -> None:
        index = self._alternativeFor(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self.alternatives[index].write(node, f"{name}.{index}", value)

    def _alternativeFor(self, value: Any) -> int:
        refusal: Exception = TypeError(f"no alternative takes {value!r} of type {type(value)}")
        for index, alternative in enumerate(self.alternatives):
            if _takes(alternative.storage, type(value)):
                try:
                    alternative.validate(value)
                    return index
                except (TypeError, ValueError) as error:
                    refusal = error
        raise refusal

    def read(self, node: Any, name: str) -> Any:
        for index, alternative in enumerate(self.alternatives):
            if alternative.isIn(node, f"{name}.{index}"):
                return alternative.read(node, f"{name}.{index}")
        raise KeyError(f"the node has no value of {name}")

    def remove(self, node: Any, name: str) -> None:
        for index, alternative in enumerate(self.alternatives):
            alternative.remove(node, f"{name}.{index}")


def _takes(storage: Any, kind: type) -> bool:
    """Return True if the storage is for values of that type, regardless of validators."""
    if isinstance(storage, NoneStorage):
        return kind is type(None)
    if isinstance(storage, NumberStorage):
        return kind in (int, float)
    if isinstance(storage, NodeStorage):
        return issubclass(kind, slicer.vtkMRMLNode)
    if isinstance(storage, EnumStorage):
        return issubclass(kind, enum.Enum)
    return kind is {TextStorage: str, BoolStorage: bool}[type(storage)]


def storageFor(kind: Any) -> Any:
    """Return the storage for a type without annotations.

    Raises TypeError if Slicer or the harness has no storage for it.
    """
    if kind is bool:
        return BoolStorage()
    if kind in (int, float):
        return NumberStorage(kind)
    if kind is str:
        return TextStorage()
    if kind is type(None):
        return NoneStorage()
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumStorage(kind)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeStorage(kind)
    if typing.get_origin(kind) in UNIONS:
        return UnionStorage([checkedStorage(k)[0] for k in typing.get_args(kind)])
    raise TypeError(
        f"no storage for the type {kind}; the harness has no paths, ranges, lists, dictionaries "
        "and packs"
    )


def checkedStorage(annotated: Any) -> tuple[Checked, list[Any]]:
    """Return the storage with its validators, and the other annotations."""
    kind, extras = split(annotated)
    validators, extras = extractValidators(extras)
    return Checked(storageFor(kind), validators), extras
