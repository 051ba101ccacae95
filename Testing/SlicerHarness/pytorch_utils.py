"""The module ``PyTorchUtils`` of the PyTorch extension. Nothing is installed.

A test sets what the extension finds and does: ``PyTorchUtils.state.installed = False``,
``state.installs = False`` for a user who declines, ``state.failure`` for an exception; and looks at
``state.requests``, the keyword arguments of every ``installTorch``.
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
        """Asks, if told to; then torch counts as installed. None where it was not installed."""
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
            question = "PyTorch will be downloaded and installed. This may take some minutes."
            if not slicer.util.confirmOkCancelDisplay(question):
                return None
        if not state.installs:
            return None
        state.installed = True
        return FakeTorch
