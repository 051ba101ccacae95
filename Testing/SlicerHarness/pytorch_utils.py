"""A stand-in for the module ``PyTorchUtils`` of the PyTorch extension. It installs nothing.

A test sets the state: ``PyTorchUtils.state.installed = False`` if torch is missing,
``state.installs = False`` if the user declines, ``state.failure`` for an exception.
``state.requests`` records the keyword arguments of every call of ``installTorch``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import slicer


@dataclass
class TorchState:
    installed: bool = True
    installs: bool = True  # False: installTorch returns None, as when the user declines
    failure: Exception | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    def reset(self) -> None:
        self.installed, self.installs, self.failure = True, True, None
        self.requests.clear()


state = TorchState()


class FakeTorch:
    __version__ = "0.0 (stand-in)"


class PyTorchUtilsLogic:
    @staticmethod
    def torchInstalled() -> bool:
        return state.installed

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
    ) -> Any:
        """Ask for confirmation if requested, mark torch as installed and return it.

        Returns None if the user declines.
        """
        state.requests.append(
            {
                "askConfirmation": askConfirmation,
                "forceComputationBackend": forceComputationBackend,
                "torchVersionRequirement": torchVersionRequirement,
            }
        )
        if state.failure is not None:
            raise state.failure
        if askConfirmation and not slicer.app.testingEnabled():
            question = "PyTorch will be downloaded and installed. This may take a few minutes."
            if not slicer.util.confirmOkCancelDisplay(question):
                return None
        if not state.installs:
            return None
        state.installed = True
        return FakeTorch
