"""What every test may ask for, and the report's first lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
CUDA = torch.cuda.is_available()


def pytest_report_header() -> str:
    cuda = f"tested on {torch.cuda.get_device_name()}" if CUDA else "not tested, no CUDA device"
    return f"torch {torch.__version__}; CUDA {cuda}"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data ../shared is not on this machine")
    return folder


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Runs the test once on each kind of device."""
    if request.param == "cuda" and not CUDA:
        pytest.skip("no CUDA device on this machine")
    return torch.device(request.param)
