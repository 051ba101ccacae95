"""DICOM nodes for the tests: a PACS in this process, senders, and the node in its own process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification

NODE, SENDER, PACS = "PSEUDOCT", "SCANNER", "PACS"
SECONDS = 60
"""Time in which everything that a test waits for has happened, also on a busy machine."""

STAND_IN = """
import sys
from pathlib import Path
from pydicom import dcmread
from pydicom.uid import generate_uid
source, output = map(Path, sys.argv[2:4])
{first}
output.mkdir()
series = generate_uid()
for number, path in enumerate(sorted(source.iterdir()), 1):
    image = dcmread(path)
    image.Manufacturer = "PseudoCTDenoise"
    image.SeriesInstanceUID, image.SOPInstanceUID = series, generate_uid()
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.ImageComments = path.stem
    image.save_as(output / f"{{number:04}}.dcm")
"""
"""Program that copies a series as if it had denoised it; ``first`` is done before."""

NODE_PROGRAM = """
import logging, sys, threading
from pathlib import Path
from PseudoCTDenoiseLib.node.configuration import read_configuration
from PseudoCTDenoiseLib.node.listener import Listener
logging.basicConfig(level=logging.INFO)
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
listener = Listener(read_configuration(Path(sys.argv[1])), sys.argv[2:])
listener.run(threading.Event())
"""


def free_port() -> int:
    """Return a port of this machine that no program uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Return when a condition holds; fail if it does not within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class Pacs:
    """A storage that keeps what it receives, and counts how often each image came."""

    def __init__(self, port: int, accept: str = NODE):
        self.images: dict[str, Dataset] = {}
        self.times: Counter[str] = Counter()
        entity = AE(PACS)
        entity.require_calling_aet = [accept]
        entity.add_supported_context(CTImageStorage)
        handlers = [(evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(("127.0.0.1", port), False, evt_handlers=handlers)

    def close(self) -> None:
        self._server.shutdown()

    def series(self) -> dict[str, list[Dataset]]:
        """Return the images of each series."""
        found: dict[str, list[Dataset]] = {}
        for image in list(self.images.values()):
            found.setdefault(image.SeriesInstanceUID, []).append(image)
        return found

    def _store(self, event) -> int:
        image = event.dataset
        image.file_meta = event.file_meta
        self.images[image.SOPInstanceUID] = image
        self.times[image.SOPInstanceUID] += 1
        return 0x0000


@contextmanager
def association(
    port: int, ae_title: str = SENDER, called: str = NODE, kinds: Sequence[str] = (CTImageStorage,)
) -> Iterator:
    """Yield an association with a node, released at the end if it still exists."""
    entity = AE(ae_title)
    for kind in (Verification, *kinds):
        entity.add_requested_context(kind)
    found = entity.associate("127.0.0.1", port, ae_title=called)
    try:
        yield found
    finally:
        if found.is_established:
            found.release()


def send(port: int, paths: Sequence[Path], **values) -> list[int]:
    """Send files in one association; return the status of each."""
    with association(port, **values) as sender:
        assert sender.is_established
        return [sender.send_c_store(path).Status for path in paths]


class NodeProcess:
    """The node in a process of its own, which a test may kill.

    Parameters
    ----------
    program : start of the command line of the child that denoises.
    """

    def __init__(self, folder: Path, program: Sequence[str], pacs_port: int, **values):
        self.folder, self.port = folder, free_port()
        configuration = {
            "ae_title": NODE,
            "port": self.port,
            "folder": "queue",
            "accept": [SENDER],
            "send_to": {"ae_title": PACS, "address": "127.0.0.1", "port": pacs_port},
            "quiet_seconds": 0.5,
            "retry_seconds": 0.3,
            **values,
        }
        folder.mkdir(exist_ok=True)
        self._file = folder / "node.json"
        self._file.write_text(json.dumps(configuration), encoding="utf-8")
        self._program = [os.fspath(part) for part in program]
        self.start()

    def start(self) -> None:
        """Start the process; return when it answers."""
        with open(self.folder / "messages.txt", "ab") as messages:
            self._process = subprocess.Popen(
                [sys.executable, "-c", NODE_PROGRAM, os.fspath(self._file), *self._program],
                stdout=messages,
                stderr=messages,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        wait_for(lambda: self._process.poll() is not None or self._answers())
        assert self._process.poll() is None, self.said()

    def kill(self) -> None:
        """Kill the process as the operating system does, without any warning."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def said(self) -> str:
        """Return the log."""
        return (self.folder / "messages.txt").read_text("utf-8")

    def records(self) -> list[dict]:
        """Return the states of the series on disk."""
        files = (self.folder / "queue/series").glob("*/series.json")
        return [json.loads(path.read_text("utf-8")) for path in files]

    def states(self) -> list[str]:
        return [record["state"] for record in self.records()]

    def _answers(self) -> bool:
        with association(self.port) as found:
            return found.is_established and found.send_c_echo().Status == 0
