"""Reads files in a child process with limits, so that a crash or a hang is a result and not an end.

The child reads one path per line and answers with one line of JSON. Run this file to be the child.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
MAX_SECONDS = 10.0
"""Longest time to read one small file."""
MAX_BYTES = 1 << 30
"""Address space for one small file, beyond that of the libraries."""
M_PERTURB = -6
"""Parameter of ``mallopt``, see malloc.h of glibc."""
READ, REFUSED, FAULTS = "read", "refused", ("crash", "hang", "memory", "other error", "random")


class Outcome(NamedTuple):
    """Result of reading one file.

    Attributes
    ----------
    kind : ``READ``, ``REFUSED`` or one of ``FAULTS``.
    text : error message, or SHA-256 of the voxels or weights.
    seconds : time that it took.
    """

    kind: str
    text: str
    seconds: float


class LimitedReader:
    """Child process that reads volumes and DICOM folders; it starts again after a crash.

    Parameters
    ----------
    models : the child reads models, too, whose manifests end with ``.json``. This takes torch,
        which loads in seconds.
    """

    def __init__(self, *, models: bool = False):
        self._models = models
        self._child = None

    def __enter__(self) -> LimitedReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def read(self, path: Path) -> Outcome:
        """Read a file within ``MAX_SECONDS`` and ``MAX_BYTES``."""
        if self._child is None:
            self._start()
        start = time.monotonic()
        self._child.stdin.write(json.dumps(os.fspath(path)) + "\n")
        self._child.stdin.flush()
        answered = select.select([self._child.stdout], [], [], MAX_SECONDS)[0]
        seconds = time.monotonic() - start
        line = self._child.stdout.readline() if answered else ""
        if line:
            return Outcome(*json.loads(line), seconds)
        code = self._stop() if not answered else self._child.wait()
        self._child = None
        return Outcome("crash" if answered else "hang", f"exit code {code}", seconds)

    def _start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, *(["models"] if self._models else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.fspath(REPOSITORY / "PseudoCTDenoise")},
        )
        self._child.stdout.readline()  # the libraries are loaded

    def _stop(self) -> int | None:
        if self._child is None:
            return None
        self._child.kill()
        return self._child.wait()


def _answer(path: Path) -> tuple[str, str]:
    """Return kind and text of an outcome."""
    import hashlib

    from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
    from PseudoCTDenoiseLib.errors import BadInputError, is_out_of_memory, printable

    def read() -> bytes:
        if path.suffix == ".json":
            from PseudoCTDenoiseLib.models.catalog import PREFIX
            from PseudoCTDenoiseLib.models.store import load_model

            state = load_model(path.stem.removeprefix(PREFIX), path.parent)[0].state_dict()
            return b"".join(value.numpy().tobytes() for value in state.values())
        return read_volume(path, slice_axis="k").hu.tobytes()

    def digest(fill: int) -> str:
        """Read the file while the C library fills new memory with a byte."""
        ctypes.CDLL(None).mallopt(M_PERTURB, fill)
        return hashlib.sha256(read()).hexdigest()

    try:
        first = digest(0x55)
        same = first == digest(0xAA)  # memory that nobody wrote would differ
    except BadInputError as error:
        text = str(error)
        one_line = text == printable(text) and 0 < len(text) < 600
        return (REFUSED, text) if one_line else ("other error", f"message {text!r}")
    except Exception as error:
        kind = "memory" if is_out_of_memory(error) else "other error"
        return kind, f"{type(error).__name__}: {error}"[:300]
    return (READ, first) if same else ("random", "two readings differ")


def _serve() -> None:
    from PseudoCTDenoiseLib.ct.io import volume_files  # noqa: F401

    if "models" in sys.argv:
        import torch
        from PseudoCTDenoiseLib.models import store  # noqa: F401

        torch.set_num_threads(1)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, used + MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(Path(json.loads(line)))), flush=True)


if __name__ == "__main__":
    _serve()
