"""Fixtures of all tests, and the first lines of the report."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
CUDA = torch.cuda.is_available()


def pytest_report_header() -> str:
    cuda = f"tested on {torch.cuda.get_device_name()}" if CUDA else "not tested, no CUDA device"
    return f"torch {torch.__version__}; CUDA {cuda}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files whose tests start the stand-in of Slicer last.

    It lives to the end of the process, and its views follow the scene of all later tests, which
    makes them several times slower.
    """
    slow = {item.path for item in items if "slicerApp" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in slow)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root folder of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data beside the checkout."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data ../shared is not on this machine")
    return folder


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Device of a test, which runs once for each kind."""
    if request.param == "cuda" and not CUDA:
        pytest.skip("no CUDA device on this machine")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def write_dicom() -> Callable[..., None]:
    """Function that writes a CT series: one file per slice at its height in mm, shuffled."""

    def write(
        folder: Path, hu: np.ndarray, heights: Sequence[float], spacing: float = 0.7, uid: str = "1"
    ) -> None:
        folder.mkdir(parents=True)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetImageIO("GDCMImageIO")
        for number, (part, height) in enumerate(zip(hu, heights, strict=True)):
            image = sitk.GetImageFromArray(part[None].astype(np.int16))
            image.SetSpacing((spacing, spacing, 3.0))
            for key, value in {
                "0008|0060": "CT",
                "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL",
                "0020|000d": "1.2.826.0.1.3680043.10",
                "0020|000e": f"1.2.826.0.1.3680043.10.{uid}",
                "0020|0013": str(number + 1),
                "0020|0032": f"-10\\-20\\{height}",
                "0020|0037": "1\\0\\0\\0\\1\\0",
                "0028|1052": "-1024",
                "0028|1053": "1",
            }.items():
                image.SetMetaData(key, value)
            writer.SetFileName(str(folder / f"slice_{(7 * number) % 10}_{number}.IMA"))
            writer.Execute(image)

    return write


@pytest.fixture
def interrupt_everywhere() -> Callable[[Callable[[], object]], Iterator[int]]:
    """Function that repeats work, each time with KeyboardInterrupt one instruction later.

    It yields after every run. Only instructions of the library and of :mod:`os` count.
    """
    library = str(REPOSITORY / "PseudoCTDenoise" / "PseudoCTDenoiseLib")

    def interrupted(work: Callable[[], object], number: int) -> bool:
        left = number

        def trace(frame, event, argument):
            nonlocal left
            if not frame.f_code.co_filename.startswith((library, os.__file__)):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt  # this also ends the tracing
            return trace

        former = sys.gettrace()
        sys.settrace(trace)
        try:
            work()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(former)
        return False

    def everywhere(work: Callable[[], object]) -> Iterator[int]:
        number = 0
        while interrupted(work, number):
            yield number
            number += 1
        assert number > 20
        yield number

    return everywhere


_INSIDE = "PSEUDOCT_TEST_IN_NEW_PROCESS"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test marked ``new_process`` in a process of its own."""
    if pyfuncitem.get_closest_marker("new_process") is None or _INSIDE in os.environ:
        return None
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
        + [pyfuncitem.nodeid],
        cwd=pyfuncitem.config.rootpath,
        env=os.environ | {_INSIDE: "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    return True
