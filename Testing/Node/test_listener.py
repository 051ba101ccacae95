"""The DICOM node denoises each series once, whatever fails: senders, the node itself, the PACS."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from dicom_factory import ct_slice, write, write_slices
from dicom_network import PACS, Pacs, association, free_port, send, wait_for
from PseudoCTDenoiseLib.ct.io.dicom_content import CT_CLASSES
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT
from PseudoCTDenoiseLib.node import listener
from PseudoCTDenoiseLib.node.configuration import Destination, NodeConfiguration
from PseudoCTDenoiseLib.node.denoising_child import Outcome
from PseudoCTDenoiseLib.node.listener import Listener
from PseudoCTDenoiseLib.node.series_queue import ATTEMPTS
from PseudoCTDenoiseLib.node.series_record import RECEIVING, SENDING, SENT, WAITING, SeriesRecord
from pydicom import dcmread
from pydicom.uid import MRImageStorage


def sources(images) -> set[str]:
    """Return the UIDs of the images from which the stand-in made images."""
    return {image.ImageComments for image in images}


def uids(paths) -> set[str]:
    return {dcmread(path).SOPInstanceUID for path in paths}


def test_a_series_is_denoised_and_sent_once(start_node, pacs, scan, tmp_path):
    options = tmp_path / "options"
    node = start_node(f"Path({str(options)!r}).write_text(str(sys.argv))", denoise={"steps": 70})
    assert send(node.port, scan) == [0] * 4
    wait_for(lambda: node.states() == ["sent"])
    (images,) = pacs.series().values()
    assert sources(images) == uids(scan) and set(pacs.times.values()) == {1}
    assert "--steps=70" in options.read_text()
    page = node.folder / "queue/status.html"
    wait_for(lambda: "4 images sent to PACS" in page.read_text("utf-8"))
    assert "P1" not in page.read_text("utf-8") and "Phantom" not in page.read_text("utf-8")
    assert len(list((node.folder / "queue").rglob("*.dcm"))) == len(scan)


@pytest.mark.slow
def test_a_repeated_series_and_our_own_result_are_not_denoised(start_node, pacs, scan, tmp_path):
    node = start_node()
    send(node.port, scan)
    wait_for(lambda: node.states() == ["sent"])
    send(node.port, scan)
    wait_for(lambda: "came again" in node.said())
    result = [write(image, tmp_path / f"{uid}.dcm") for uid, image in pacs.images.items()]
    assert send(node.port, result) == [0] * 4
    wait_for(lambda: "which is a result of this project: left out" in node.said())
    assert node.states() == ["sent"]
    assert len(pacs.series()) == 1 and set(pacs.times.values()) == {1}


@pytest.mark.slow
def test_a_series_that_grows_is_denoised_again_as_a_whole(start_node, pacs, scan):
    node = start_node()
    send(node.port, scan[:2])
    wait_for(lambda: len(pacs.series()) == 1 and node.states() == ["sent"])
    send(node.port, scan[2:])
    wait_for(lambda: len(pacs.series()) == 2 and node.states() == ["sent"])
    first, second = pacs.series().values()
    assert sources(first) == uids(scan[:2]) and sources(second) == uids(scan)
    assert "grew from 2 to 4 images" in node.said()


@pytest.mark.slow
def test_images_after_the_earlier_ones_were_removed_are_set_aside(start_node, pacs, scan):
    node = start_node(keep_hours=0)
    send(node.port, scan[:2])
    wait_for(lambda: node.states() == ["sent"])
    wait_for(lambda: not list((node.folder / "queue").rglob("images")))
    send(node.port, scan[2:])
    wait_for(lambda: "send the whole series again" in node.said())
    send(node.port, scan)
    wait_for(lambda: len(pacs.series()) == 2 and node.states() == ["sent"])
    assert sources(list(pacs.series().values())[1]) == uids(scan)


@pytest.mark.slow
def test_a_series_that_was_cut_off_waits_until_it_comes_again(start_node, pacs, scan):
    node = start_node()
    with association(node.port) as sender:
        for path in scan[:2]:
            sender.send_c_store(path)
        sender.abort()
    wait_for(lambda: "cut off after 2 images" in node.said())
    assert node.states() == ["receiving"] and not pacs.images
    send(node.port, scan)
    wait_for(lambda: node.states() == ["sent"])
    (images,) = pacs.series().values()
    assert sources(images) == uids(scan)


def test_half_an_image_never_counts(start_node, pacs, scan, tmp_path):
    node = start_node()
    large = dcmread(scan[0])
    large.Rows, large.Columns, large.PixelData = 2000, 2000, bytes(2 * 2000 * 2000)
    # The sender ends in the middle of the image, after many of its pieces were sent.
    with association(node.port) as sender:
        connection = sender.dul.socket.socket
        original, left = sender.dul.socket.send, [5]

        def cut(data):
            left[0] -= 1
            if left[0] == 0:
                connection.close()
            return original(data)

        sender.dul.socket.send = cut
        sender.send_c_store(large)
    wait_for(lambda: "ended early" in node.said())
    assert node.records() == []
    node.kill()
    assert len(list((node.folder / "queue/partial").iterdir())) == 1
    node.start()
    assert not list((node.folder / "queue/partial").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("first", ["import time; time.sleep(1000)", "open('/dev/null')"])
def test_a_killed_node_goes_on_with_its_queue(start_node, pacs, scan, tmp_path, first):
    """Kill it while it denoises, or while its destination is down, with another series waiting."""
    is_denoising = "sleep" in first
    port = free_port()
    node = start_node(first, pacs_port=port)
    send(node.port, scan)
    wait_for(lambda: node.states() == ["denoising" if is_denoising else "sending"])
    other = write_slices(tmp_path / "other", SeriesInstanceUID="1.2.3", edit=_renumber)
    send(node.port, sorted(other.iterdir()))
    wait_for(lambda: len(node.states()) == 2)
    node.kill()
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(stand_in.read_text("utf-8").replace("sleep(1000)", "sleep(0)"))
    destination = Pacs(port)
    try:
        node.start()
        # The last transfer may have been cut off by the kill; its sender repeats it.
        send(node.port, sorted(other.iterdir()))
        wait_for(lambda: node.states() == ["sent"] * 2)
    finally:
        destination.close()
    series = destination.series().values()
    assert sorted(map(len, series)) == [4, 4]
    assert set.union(*map(sources, series)) == uids(scan) | uids(other.iterdir())


def _renumber(index: int, image) -> None:
    image.SOPInstanceUID = f"1.2.3.{index + 1}"


@pytest.mark.slow
def test_a_destination_that_is_down_gets_the_series_later(start_node, scan):
    port = free_port()
    node = start_node(pacs_port=port)
    send(node.port, scan)
    wait_for(lambda: "does not answer. Next attempt" in node.said())
    assert node.states() == ["sending"]
    pacs = Pacs(port)
    wait_for(lambda: node.states() == ["sent"])
    pacs.close()
    assert set(pacs.times.values()) == {1} and len(pacs.images) == 4


def test_unknown_senders_and_other_objects_are_refused(start_node, scan, pacs):
    node = start_node()
    with association(node.port, ae_title="STRANGER") as sender:
        assert sender.is_rejected
    with association(node.port, called="OTHER") as sender:
        assert sender.is_rejected
    wait_for(lambda: "STRANGER (127.0.0.1) was rejected" in node.said())
    with association(node.port, kinds=[MRImageStorage, *CT_CLASSES]) as sender:
        assert [context.abstract_syntax for context in sender.rejected_contexts] == [MRImageStorage]
        assert sender.send_c_echo().Status == 0
    assert node.states() == []


@pytest.mark.slow
def test_a_failing_child_and_a_late_one_are_told_and_tried_again(start_node, pacs, scan, tmp_path):
    node = start_node("sys.exit('pseudoct: The scan is odd: choose another.')")
    send(node.port, scan)
    wait_for(lambda: node.states() == ["not denoised"])
    assert "The scan is odd: choose another." in node.records()[0]["words"]
    stand_in = tmp_path / "stand_in.py"
    working = stand_in.read_text("utf-8").replace("sys.exit(", "print(")
    stand_in.write_text(working, encoding="utf-8")
    send(node.port, scan)
    wait_for(lambda: node.states() == ["sent"])


DOUBTS = "print('Warning: Odd pixels.\\nCheck: red. Compare.\\nDone.')"


@pytest.mark.slow
def test_what_may_spoil_a_result_is_reported(start_node, pacs, scan):
    node = start_node(DOUBTS)
    send(node.port, scan)
    wait_for(lambda: node.states() == ["sent"])
    words = "Odd pixels. Check: red. Compare."
    assert node.records()[0]["doubts"] == words
    assert f"denoised. {words}" in node.said()
    page = node.folder / "queue/status.html"
    wait_for(lambda: f"images sent to {PACS}. {words}" in page.read_text("utf-8"))


@pytest.mark.slow
def test_what_may_spoil_a_result_is_reported_before_it_is_sent(start_node, scan):
    node = start_node(DOUBTS, pacs_port=free_port())
    send(node.port, scan)
    page = node.folder / "queue/status.html"
    wait_for(lambda: page.exists() and "Odd pixels. Check: red." in page.read_text("utf-8"))
    assert node.states() == ["sending"]


@pytest.fixture
def open_listener(tmp_path, monkeypatch) -> Iterator[Callable[..., Listener]]:
    """Function that opens a node without a network; its child sleeps."""
    monkeypatch.setattr(listener, "Receiver", Mock())
    opened, destination = [], Destination(PACS, "127.0.0.1", 104)
    program = [sys.executable, "-c", "import time; time.sleep(1000)"]

    def open_listener(**values) -> Listener:
        configuration = NodeConfiguration("NODE", 104, tmp_path, ("A",), destination, **values)
        opened.append(Listener(configuration, program))
        return opened[-1]

    yield open_listener
    for each in opened:
        each.close()


def test_a_full_disk_stops_the_work_until_there_is_room(open_listener, tmp_path, monkeypatch):
    series = save_series(tmp_path, "1.2", state=WAITING, is_open=False)
    old = save_series(tmp_path, "1.3", state=SENT, changed=time.time() - 3600)
    node = open_listener(keep_hours=0.5)
    message = f"{tmp_path}/0001.dcm could not be written ({os.strerror(errno.ENOSPC)})."
    ended = Mock(outcome=Mock(return_value=Outcome(BAD_INPUT, message)))
    monkeypatch.setattr(listener, "DenoisingChild", Mock(return_value=ended))
    with monkeypatch.context() as full_disk, pytest.raises(OSError, match="full"):
        full_disk.setattr(os, "fsync", Mock(side_effect=OSError("the disk is full")))
        node.step()
    assert not old.images.exists()
    for _ in range(ATTEMPTS + 1):
        node._next_start = 0
        node.step()
        node.step()
        (series,) = (each for each in node._queue.series() if each.uid == "1.2")
        assert series.state == WAITING and "Next attempt after 60 s" in series.words


def save_series(folder: Path, uid: str, **values) -> SeriesRecord:
    """Save a series of one image in the folder of a queue."""
    series = SeriesRecord(folder / "series" / uid, uid, **values)
    series.images.mkdir(parents=True)
    (series.images / "1.2.dcm").write_bytes(bytes(100))
    series.save()
    return series


def test_a_time_limit_ends_the_child(open_listener, tmp_path):
    series = save_series(tmp_path, "1.2", state=WAITING)
    node = open_listener(time_limit_minutes=0.01)
    node.step()
    work = tmp_path / "work"  # holds the images of a patient while they are denoised
    assert list(work.rglob("*.dcm")) and work.stat().st_mode & 0o077 == 0

    def words() -> str:
        node.step()
        return json.loads((series.folder / "series.json").read_text())["words"]

    wait_for(lambda: "stopped after its time limit of 1 s" in words(), 20)
    assert [path.parent for path in tmp_path.rglob("*.dcm")] == [series.images]


def test_the_images_of_a_finished_series_are_kept_for_some_hours(open_listener, tmp_path):
    now = time.time()
    old = save_series(tmp_path, "1.2", state=SENT, changed=now - 2.1 * 3600)
    new = save_series(tmp_path, "1.3", state=SENT, changed=now - 1.9 * 3600)
    open_listener(keep_hours=2).step()
    assert not old.images.exists() and new.images.exists()


@pytest.mark.parametrize("files", [0, 1])
def test_a_derived_series_that_lost_files_is_made_again(open_listener, tmp_path, files):
    series = save_series(tmp_path, "1.2", state=SENDING, derived=2, is_open=False)
    series.result.mkdir()
    for number in range(files):
        (series.result / f"{number}.dcm").write_bytes(bytes(50))
    node = open_listener()
    node.step()
    (series,) = node._queue.series()
    assert series.state == RECEIVING and "were lost on the disk" in series.words
    assert not series.result.exists() and node._queue._bytes == 100
    node._queue.complete_quiet_series(0)
    assert series.state == WAITING


def test_images_beyond_the_limits_are_refused(start_node, pacs, scan, tmp_path):
    size = Path(scan[0]).stat().st_size
    node = start_node(disk_gib=max(2.5 * size / 2**30, 0.001), image_mib=0.5)
    large = ct_slice()
    large.Rows, large.Columns, large.PixelData = 500, 500, bytes(2 * 500 * 500)
    paths = []
    for number in range(3):
        large.SOPInstanceUID = f"1.2.3.{number}"
        large.SeriesInstanceUID = f"1.2.{number + 4}"
        paths.append(write(large, tmp_path / f"large{number}.dcm"))
    statuses = send(node.port, paths)
    assert statuses == [0, 0, 0xA700]
    assert "The queue is full" in node.said()
    assert len(node.records()) == 3
    assert not pacs.images


@pytest.mark.slow
def test_a_large_image_ends_its_transfer(start_node, scan):
    node = start_node(image_mib=0.5)
    large = dcmread(scan[0])
    large.Rows, large.Columns, large.PixelData = 2000, 2000, bytes(2 * 2000 * 2000)
    with association(node.port) as sender:
        original = sender.dul.socket.send

        def slowly(data):
            time.sleep(0.05)
            original(data)

        sender.dul.socket.send = slowly
        assert "Status" not in sender.send_c_store(large)
    assert "sends an image of more than 0.5 MiB, so the transfer is ended" in node.said()
    large.Rows, large.Columns, large.PixelData = 600, 600, bytes(2 * 600 * 600)
    assert send(node.port, [large]) == [0xA700]
    assert [record["missing"] for record in node.records()] == [[large.SOPInstanceUID]]


@pytest.mark.slow
def test_pacs_that_refuses_the_node(start_node, scan, tmp_path):
    pacs = Pacs(free_port(), accept="ANOTHER")
    node = start_node(pacs_port=pacs._server.server_address[1])
    send(node.port, scan)
    wait_for(lambda: f"{PACS} (127.0.0.1 port" in node.said() and "rejected" in node.said())
    pacs.close()
    assert node.states() == ["sending"]
