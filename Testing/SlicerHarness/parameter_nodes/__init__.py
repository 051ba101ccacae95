"""``slicer.parameterNodeWrapper``: typed access to a module's parameter node.

Supports the types bool, int, float, str, enum, MRML node and Optional or Union of these, the
validators, and binding to widgets by the property ``SlicerParameterName``. Paths, ranges, lists,
dictionaries and parameter packs raise an error: add them when a module needs them.
"""

from .annotations import Default
from .validators import (
    Choice,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    Validator,
    WithinRange,
)
from .wrapper import isParameterNodeWrapper, parameterNodeWrapper

__all__ = [
    "Choice",
    "Default",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]
