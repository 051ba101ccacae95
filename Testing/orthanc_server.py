"""A real Orthanc on loopback with its own folder and ports, for the tests of a PACS."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from dicom_network import NODE, free_port, wait_for

TITLE = "ORTHANC"
SEND_STABLE_SERIES = """
function OnStableSeries(id, tags, metadata)
  RestApiPost('/modalities/pseudoct/store', id)
end
"""
"""The rule of Docs/hospital.md: every series that no longer grows is sent to the node."""


def orthanc_program() -> str | None:
    """Return the path of Orthanc, or None if it is not installed."""
    return shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


class Orthanc:
    """A running server; ``node_port`` is that of the node to which its rule sends."""

    def __init__(self, folder: Path, node_port: int = 1, rule: str = ""):
        self.dicom_port, self._http_port = free_port(), free_port()
        folder.mkdir()
        configuration = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": TITLE,
            "DicomPort": self.dicom_port,
            "HttpPort": self._http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [],
            "StableAge": 1,
            "DicomAssociationCloseDelay": 0,
            "DicomModalities": {"pseudoct": [NODE, "127.0.0.1", node_port]},
        }
        if rule:
            (folder / "rule.lua").write_text(rule, encoding="utf-8")
            configuration["LuaScripts"] = [str(folder / "rule.lua")]
        (folder / "orthanc.json").write_text(json.dumps(configuration), encoding="utf-8")
        self._log = folder / "log.txt"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [orthanc_program(), str(folder / "orthanc.json")], stdout=log, stderr=log
            )
        try:
            wait_for(self._answers)
        except AssertionError:
            self.close()
            raise

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str) -> object:
        """Return the answer to a request as JSON."""
        return json.loads(self.get_bytes(path))

    def get_bytes(self, path: str) -> bytes:
        address = f"http://127.0.0.1:{self._http_port}{path}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read()

    def series(self) -> list[dict]:
        """Return the series with their tags and instances, the first that was stored first."""
        found = [self.get(f"/series/{uid}") for uid in self.get("/series")]
        return sorted(found, key=lambda series: int(series["MainDicomTags"]["SeriesNumber"]))

    def fetch(self, series: dict, folder: Path) -> Path:
        """Write the files of a series to a new folder and return the folder."""
        folder.mkdir()
        for uid in series["Instances"]:
            (folder / f"{uid}.dcm").write_bytes(self.get_bytes(f"/instances/{uid}/file"))
        return folder

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text("utf-8")
        try:
            return bool(self.get("/system"))
        except (urllib.error.URLError, ConnectionError):
            return False
