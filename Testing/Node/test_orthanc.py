"""Round trip through a real PACS: store, fetch, denoise, send, and the loop with its own rule."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from dicom_factory import change, ct_slice, store, write
from dicom_network import NODE, association, free_port, send, wait_for
from orthanc_server import SEND_STABLE_SERIES, TITLE, Orthanc, orthanc_program
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.node.configuration import Destination
from PseudoCTDenoiseLib.node.sender import send_series
from pydicom import dcmread

pytestmark = pytest.mark.skipif(
    orthanc_program() is None, reason="Orthanc is not installed: apt-get install orthanc"
)


@pytest.fixture
def scan(tmp_path, hu):
    """Files of a series of three slices of tissue with noise."""
    paths = []
    for number, slice_hu in enumerate(hu, 1):
        image = ct_slice(2.5 * number, number)
        for keyword, value in zip(("Rows", "Columns"), slice_hu.shape, strict=True):
            change(image, keyword, value)
        store(image, slice_hu)
        paths.append(write(image, tmp_path / "scan" / f"{number}.dcm"))
    return paths


@pytest.fixture
def start_orthanc(tmp_path):
    """Function that starts a server, which is stopped at the end of the test."""
    servers = []

    def start(*arguments, **values) -> Orthanc:
        servers.append(Orthanc(tmp_path / "orthanc", *arguments, **values))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def check_derived(orthanc: Orthanc, folder) -> None:
    """Check that one study holds the scan and one derived series of it, image for image."""
    (study,) = orthanc.get("/studies")
    original, derived = orthanc.series()
    assert original["ParentStudy"] == derived["ParentStudy"] == study
    assert len(original["Instances"]) == len(derived["Instances"]) == 3
    assert derived["MainDicomTags"]["SeriesDescription"] == "Thorax denoised"
    scan, result = (orthanc.fetch(s, folder / s["ID"]) for s in (original, derived))
    sources = {dcmread(path).SOPInstanceUID for path in scan.iterdir()}
    images = [dcmread(path) for path in result.iterdir()]
    named = {image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in images}
    assert named == sources
    before, after = read_volume(scan), read_volume(result)
    assert before.origin == after.origin and before.hu.shape == after.hu.shape
    assert not np.array_equal(before.hu, after.hu)


def test_a_derived_series_joins_its_study_once(start_orthanc, scan, pseudoct, quick, tmp_path):
    orthanc = start_orthanc()
    assert send(orthanc.dicom_port, scan, called=TITLE) == [0] * 3
    fetched = orthanc.fetch(orthanc.series()[0], tmp_path / "fetched")
    assert pseudoct("denoise", fetched, tmp_path / "denoised", *quick).code == 0
    paths = sorted((tmp_path / "denoised").iterdir())
    with association(orthanc.dicom_port, called=TITLE) as sender:  # a transfer that is cut off
        sender.send_c_store(paths[0])
        sender.abort()
    destination = Destination(TITLE, "127.0.0.1", orthanc.dicom_port)
    for _ in range(2):  # and one that is repeated
        send_series(paths, NODE, destination)
    check_derived(orthanc, tmp_path)


@pytest.mark.slow
def test_the_rule_of_the_pacs_and_the_node_make_no_loop(start_orthanc, scan, models, tmp_path):
    node_port = free_port()
    orthanc = start_orthanc(node_port, rule=SEND_STABLE_SERIES)
    configuration = {
        "ae_title": NODE,
        "port": node_port,
        "folder": "queue",
        "accept": [TITLE],
        "send_to": {"ae_title": TITLE, "address": "127.0.0.1", "port": orthanc.dicom_port},
        "quiet_seconds": 0.5,
        "denoise": {"models": os.fspath(models), "device": "cpu", "steps": 2},
    }
    file = tmp_path / "node.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    log = tmp_path / "queue" / "listen.log"
    node = subprocess.Popen(
        [sys.executable, "-m", "PseudoCTDenoiseLib.cli.main", "listen", file],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        wait_for(lambda: log.is_file() and "Listening" in log.read_text("utf-8"))
        send(orthanc.dicom_port, scan, called=TITLE)
        wait_for(lambda: "3 images sent to ORTHANC" in log.read_text("utf-8"), 120)
        # The rule sends the derived series back to the node, too.
        wait_for(lambda: "a result of this project: left out" in log.read_text("utf-8"))
    finally:
        node.send_signal(signal.SIGTERM)
        assert node.wait(30) == 0
    assert log.read_text("utf-8").count("denoising 3 images") == 1
    assert log.read_text("utf-8").splitlines()[-1].endswith("Stopped.")
    check_derived(orthanc, tmp_path)
