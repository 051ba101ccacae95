"""The queue counts whole images and whole transfers only, and begins a denoising three times."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
from PseudoCTDenoiseLib.node.series_queue import ATTEMPTS, Image, QueueFullError, SeriesQueue
from PseudoCTDenoiseLib.node.series_record import (
    DENOISING,
    FAILED,
    RECEIVING,
    SENDING,
    SENT,
    WAITING,
)
from PseudoCTDenoiseLib.temporary_files import remove_folder


class Transfer:
    """A connection that a test ends."""

    alive = True

    def is_alive(self) -> bool:
        return self.alive


@pytest.fixture
def open_queue(tmp_path):
    """Function that opens the queue as a new process does, and sends images to it."""
    queues = []

    def open_queue(limit: float = 1e9) -> SeriesQueue:
        for queue in queues:
            queue.close()
        queues.append(SeriesQueue(tmp_path / "queue", limit))
        return queues[-1]

    yield open_queue
    for queue in queues:
        queue.close()


def add(
    queue: SeriesQueue,
    transfer: Transfer,
    *numbers: int,
    series: str = "1.2",
    content: bytes = bytes(100),
) -> None:
    for number in numbers:
        part = queue.partial / "image"
        part.write_bytes(content)
        queue.add(part, Image(f"1.2.{number}", series, "Thorax"), "PACS", transfer)


def send(queue: SeriesQueue, *numbers: int, **image) -> None:
    """Send images over a connection that ends properly, then none for a while."""
    transfer = Transfer()
    add(queue, transfer, *numbers, **image)
    queue.end_transfer(transfer)
    queue.complete_quiet_series(0)


def send_three(queue: SeriesQueue, refused: int) -> None:
    """Send three images, one of which is refused; some senders open a connection for each."""
    for number in range(1, 4):
        transfer = Transfer()
        if number == refused:
            queue.fail(transfer, f"1.2.{number}", "1.2")
        else:
            add(queue, transfer, number)
        queue.end_transfer(transfer)
        queue.complete_quiet_series(0)


def denoise(queue: SeriesQueue, folder: Path) -> bool:
    """Deliver a result of the waiting series."""
    series = queue.next_waiting()
    queue.begin(series, folder / "snapshot")
    (folder / "derived").mkdir()
    (folder / "derived/0001.dcm").write_bytes(bytes(50))
    return queue.deliver(series, folder / "derived", folder / "snapshot")


def send_and_denoise(queue: SeriesQueue, folder: Path, content: bytes) -> None:
    """Send two images, and note that their derived series was sent."""
    send(queue, 1, 2, content=content)
    assert denoise(queue, folder)
    queue.sent(queue.series()[0], "2 images sent.")


def fail(queue: SeriesQueue, folder: Path) -> None:
    """Let the denoising of the waiting series fail."""
    series = queue.next_waiting()
    queue.begin(series, folder / "failing")
    queue.fail_series(series, "A slice lacks its position.", folder / "failing")
    remove_folder(folder / "failing")


def test_a_series_is_complete_after_its_transfer(open_queue):
    queue, transfer = open_queue(), Transfer()
    add(queue, transfer, 1, 2)
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == RECEIVING
    queue.end_transfer(transfer)
    queue.complete_quiet_series(1000)
    assert series.state == RECEIVING
    queue.complete_quiet_series(0)
    assert series.state == WAITING


@pytest.mark.parametrize("end", ["cut off", "refused", "killed", "aborted"])
def test_a_series_that_may_lack_images_waits(open_queue, end):
    queue, transfer = open_queue(), Transfer()
    add(queue, transfer, 1)
    if end == "refused":
        queue.fail(transfer)
        queue.end_transfer(transfer)
    elif end == "killed":
        queue = open_queue()
    if end == "aborted":
        queue.abort_transfer(transfer)  # its threads have not ended yet
    else:
        transfer.alive = False
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == RECEIVING and "cut off after 1 images" in series.words
    send(queue, 1, 2)
    assert series.state == WAITING and series.image_uids() == {"1.2.1", "1.2.2"}


def test_a_series_that_grows_while_it_is_denoised_is_not_sent(open_queue, tmp_path):
    queue, transfer = open_queue(), Transfer()
    send(queue, 1)
    series = queue.next_waiting()
    queue.begin(series, tmp_path / "snapshot")
    add(queue, transfer, 2)
    assert not queue.deliver(series, tmp_path / "derived", tmp_path / "snapshot")
    assert series.state == RECEIVING and "grew while it was denoised" in series.words


@pytest.mark.parametrize("interruption", ["the node is killed", "a record cannot be written"])
def test_a_transfer_into_an_interrupted_denoising_is_awaited(open_queue, tmp_path, interruption):
    queue = open_queue()
    send(queue, 1, 2)
    assert queue.begin(queue.next_waiting(), tmp_path / "snapshot")
    transfer = Transfer()
    add(queue, transfer, 3)  # the first of some more
    if interruption == "the node is killed":
        queue, transfer = open_queue(), Transfer()
    else:
        queue.repeat_interrupted(by_kill=False)
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == RECEIVING
    add(queue, transfer, 4)
    queue.end_transfer(transfer)
    queue.complete_quiet_series(0)
    assert series.state == WAITING and len(series.image_uids()) == 4


def test_an_image_between_the_choice_of_a_series_and_its_denoising_is_seen(open_queue, tmp_path):
    queue = open_queue()
    send(queue, 1, 2)
    series = queue.next_waiting()
    add(queue, Transfer(), 3)
    assert not queue.begin(series, tmp_path / "snapshot")
    assert series.state == RECEIVING


def test_a_series_that_grows_while_it_is_sent_is_denoised_again(open_queue, tmp_path):
    queue, transfer = open_queue(), Transfer()
    send(queue, 1)
    assert denoise(queue, tmp_path)
    (series,) = queue.series()
    assert series.state == SENDING
    add(queue, transfer, 1, 2)
    queue.end_transfer(transfer)
    queue.sent(series, "1 images sent.")
    queue.complete_quiet_series(0)
    assert series.state == WAITING and "grew from 1 to 2 images" in series.words


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_refused_image_is_missed_whatever_other_transfers_bring(open_queue, refused):
    queue = open_queue()
    send_three(queue, refused)
    (series,) = queue.series()
    assert series.state == RECEIVING and "send the series again" in series.words
    send(queue, refused)
    assert series.state == WAITING and len(series.image_uids()) == 3


@pytest.mark.parametrize("first_ends", [True, False])
def test_a_parallel_transfer_does_not_complete_one_that_was_cut_off(open_queue, first_ends):
    queue, whole, cut = open_queue(), Transfer(), Transfer()
    add(queue, whole, 1, 2)
    add(queue, cut, 3)
    if first_ends:
        queue.end_transfer(whole)
    cut.alive = False
    queue.complete_quiet_series(0)
    queue.end_transfer(whole)
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == RECEIVING
    send(queue, 4)  # the sender goes on after the last confirmed image
    assert series.state == WAITING and len(series.image_uids()) == 4


def test_a_sender_that_sends_all_again_at_once_completes_a_series(open_queue):
    queue, cut, again = open_queue(), Transfer(), Transfer()
    add(queue, cut, 1, 2)
    cut.alive = False
    add(queue, again, 1, 2, 3)  # before the queue has seen the end of the first transfer
    queue.complete_quiet_series(0)
    queue.end_transfer(again)
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == WAITING


def test_a_refused_image_concerns_its_own_series_and_is_forgotten_with_it(open_queue):
    queue, transfer = open_queue(), Transfer()
    add(queue, transfer, 1)
    add(queue, transfer, 2, series="1.9")
    queue.fail(transfer, "1.2.3", "1.9")
    queue.end_transfer(transfer)
    queue.complete_quiet_series(0)
    states = {series.uid: series.state for series in queue.series()}
    assert states == {"1.2": WAITING, "1.9": RECEIVING}
    queue.remove_old(-1)
    send(queue, 2, series="1.9")
    assert {series.uid: series.state for series in queue.series()}["1.9"] == WAITING


def test_a_corrected_series_is_denoised_again(open_queue, tmp_path):
    queue = open_queue()
    send(queue, 1, 2, content=b"wrong name")
    (series,) = queue.series()
    fail(queue, tmp_path)
    send(queue, 1, 2, content=b"right name")
    assert series.state == WAITING
    assert {path.read_bytes() for path in series.images.iterdir()} == {b"right name"}
    assert denoise(queue, tmp_path)
    queue.sent(series, "2 images sent.")
    send(queue, 1, 2, content=b"right name")
    assert series.state == SENT and "came again" in series.words
    send(queue, 1, 2, content=b"third name")
    assert series.state == WAITING and "remove it where it was sent to" in series.words
    assert {path.read_bytes() for path in series.images.iterdir()} == {b"third name"}
    assert queue._bytes == series.bytes_on_disk()


@pytest.mark.parametrize("is_sending", [True, False])
def test_a_correction_counts_while_the_series_is_denoised_or_sent(open_queue, tmp_path, is_sending):
    queue, transfer = open_queue(), Transfer()
    send(queue, 1)
    series = queue.next_waiting()
    if is_sending:
        assert denoise(queue, tmp_path)
    else:
        queue.begin(series, tmp_path / "snapshot")
    add(queue, transfer, 1, content=b"corrected")
    queue.end_transfer(transfer)
    if is_sending:
        queue.sent(series, "1 images sent.")
    else:
        assert not queue.deliver(series, tmp_path / "derived", tmp_path / "snapshot")
        assert "changed while it was denoised" in series.words
    queue.complete_quiet_series(0)
    assert series.state == WAITING


@pytest.mark.parametrize("then", ["it comes again", "it fails", "the node is killed"])
def test_a_correction_is_not_forgotten_before_it_is_denoised(open_queue, tmp_path, then):
    queue = open_queue()
    send_and_denoise(queue, tmp_path, b"wrong name")
    send(queue, 1, 2, content=b"right name")
    if then == "it fails":
        fail(queue, tmp_path)
        assert queue.series()[0].state == FAILED
    elif then == "the node is killed":
        queue = open_queue()
    send(queue, 2, content=b"right name")
    (series,) = queue.series()
    assert series.state == WAITING and "remove it where it was sent to" in series.words
    remove_folder(tmp_path / "snapshot")
    assert denoise(queue, tmp_path)
    queue.sent(series, "2 images sent.")
    send(queue, 1, 2, content=b"right name")
    assert series.state == SENT


@pytest.mark.parametrize("content", [b"right name", b"wrong name"])
def test_a_correction_counts_after_the_images_were_removed(open_queue, tmp_path, content):
    queue = open_queue()
    send_and_denoise(queue, tmp_path, b"wrong name")
    queue.remove_old(-1)
    queue = open_queue()
    send(queue, 1, 2, content=content)
    (series,) = queue.series()
    assert series.state == (SENT if content == b"wrong name" else WAITING)


def test_a_part_of_a_corrected_series_is_set_aside_in_words(open_queue, tmp_path):
    queue = open_queue()
    send_and_denoise(queue, tmp_path, b"wrong name")
    queue.remove_old(-1)
    send(queue, 1, content=b"right name")
    (series,) = queue.series()
    assert series.state == FAILED and "again with other content after the 2" in series.words
    send(queue, 1, 2, content=b"right name")
    assert series.state == WAITING


@pytest.mark.parametrize("change", ["another image", "other content", "a refused image"])
def test_what_comes_while_a_denoising_fails_is_denoised(open_queue, tmp_path, change):
    queue, transfer = open_queue(), Transfer()
    send(queue, 1, 3)
    series = queue.next_waiting()
    queue.begin(series, tmp_path / "snapshot")
    if change == "another image":
        send(queue, 2)
    elif change == "other content":
        send(queue, 3, content=b"corrected")
    else:
        queue.fail(transfer, "1.2.2", "1.2")
        queue.end_transfer(transfer)
    queue.fail_series(series, "Slices are missing.", tmp_path / "snapshot")
    queue.complete_quiet_series(0)
    assert series.state == (RECEIVING if change == "a refused image" else WAITING)


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_refused_image_is_missed_after_a_restart_too(open_queue, refused):
    """It is also missed if the node ends before any other image of the series comes."""
    queue, first = open_queue(), Transfer()
    if refused == 1:
        queue.fail(first, "1.2.1", "1.2")
    else:
        send_three(queue, refused)
    queue = open_queue()
    send(queue, 3 if refused != 3 else 2)
    (series,) = queue.series()
    assert series.state == RECEIVING
    send(queue, refused)
    assert series.state == WAITING and not series.missing


def test_a_refused_image_is_forgotten_after_some_time(open_queue):
    queue = open_queue()
    queue.fail(Transfer(), "1.2.1", "1.2")
    queue.complete_quiet_series(0)
    queue.remove_old(-1)
    queue = open_queue()
    send(queue, 2)
    (series,) = queue.series()
    assert series.state == WAITING


def test_a_refused_image_of_a_series_that_was_sent_is_missed(open_queue, tmp_path):
    queue, transfer = open_queue(), Transfer()
    send_and_denoise(queue, tmp_path, b"content")
    add(queue, transfer, 1, 2, content=b"content")
    queue.fail(transfer, "1.2.3", "1.2")
    queue.end_transfer(transfer)
    queue.complete_quiet_series(0)
    (series,) = queue.series()
    assert series.state == RECEIVING and "send the series again" in series.words
    send(queue, 3)
    assert series.state == WAITING and len(series.image_uids()) == 3


def test_records_of_earlier_versions_are_read(open_queue, tmp_path):
    queue = open_queue()
    send(queue, 1)
    assert denoise(queue, tmp_path)
    (series,) = queue.series()
    file = series.folder / "series.json"
    values = json.loads(file.read_text())
    values["denoised"] = list(values["denoised"])
    del values["has_former"], values["missing"], values["derived"]
    file.write_text(json.dumps(values))
    (series,) = open_queue().series()
    assert series.denoised == {"1.2.1": ""} and series.state == SENDING


def test_an_interrupted_denoising_is_repeated_a_few_times(open_queue, tmp_path):
    queue = open_queue()
    send(queue, 1)
    for attempt in range(ATTEMPTS):
        series = queue.next_waiting()
        queue.begin(series, tmp_path / f"snapshot{attempt}")
        assert series.state == DENOISING
        queue = open_queue()  # the process was killed
    (series,) = queue.series()
    assert series.state == FAILED and "ended 3 times" in series.words
    send(queue, 1)
    assert series.state == WAITING


def test_a_result_that_cannot_be_recorded_is_made_again(open_queue, tmp_path, monkeypatch):
    queue = open_queue()
    send(queue, 1)
    series = queue.next_waiting()
    queue.begin(series, tmp_path / "snapshot")
    (tmp_path / "derived").mkdir()
    with monkeypatch.context() as full_disk, pytest.raises(OSError, match="full"):
        full_disk.setattr(os, "fsync", Mock(side_effect=OSError("the disk is full")))
        queue.deliver(series, tmp_path / "derived", tmp_path / "snapshot")
    assert (series.state, series.denoised) == (DENOISING, {})
    queue.repeat_interrupted(by_kill=False)
    assert (series.state, series.attempts) == (WAITING, 0) and not series.result.exists()


def test_a_change_of_state_survives_a_loss_of_power(open_queue, monkeypatch):
    queue, transfer, events = open_queue(), Transfer(), []
    add(queue, transfer, 1)
    (series,) = queue.series()
    rename, sync = os.replace, os.fsync

    def renamed(*paths):
        events.append("renamed")
        rename(*paths)

    def synced(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    series.change(SENT)
    assert events == ["file", "renamed", "folder"]


def test_a_derived_series_is_on_disk_before_its_record(open_queue, tmp_path, monkeypatch):
    queue, sync, synced = open_queue(), os.fsync, []
    send(queue, 1)

    def note(descriptor):
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    assert denoise(queue, tmp_path)
    (series,) = queue.series()
    written = [series.result / "0001.dcm", series.result, series.folder / "series.json"]
    places = [synced.index(path.stat().st_ino) for path in written]
    assert places == sorted(places)


def test_a_full_disk_does_not_change_the_size_of_the_queue(open_queue, tmp_path, monkeypatch):
    queue, transfer = open_queue(), Transfer()
    send(queue, 1)
    assert denoise(queue, tmp_path)
    (series,) = queue.series()
    add(queue, transfer, 2, series="1.9")
    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "fsync", Mock(side_effect=OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            queue.sent(series, "1 images sent.")
        with pytest.raises(OSError, match="full"):
            add(queue, transfer, 3, series="1.9")
    assert queue._bytes == sum(each.bytes_on_disk() for each in queue.series()) == 250


def test_finished_series_make_room(open_queue, tmp_path):
    queue, transfer = open_queue(limit=250), Transfer()
    add(queue, transfer, 1, 2)
    queue.end_transfer(transfer)
    with pytest.raises(QueueFullError, match="raise disk_gib"):
        add(queue, transfer, 3, series="1.3")
    queue.complete_quiet_series(0)
    assert denoise(queue, tmp_path)
    queue.sent(queue.series()[0], "sent")
    add(queue, transfer, 3, 4, series="1.3")
    first, second = sorted(queue.series(), key=lambda series: series.uid)
    assert first.state == SENT and not first.images.exists()
    assert second.image_uids() == {"1.2.3", "1.2.4"}


def test_the_disk_is_not_filled_to_the_brim(open_queue, monkeypatch):
    queue = open_queue()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Mock(free=1000))
    with pytest.raises(QueueFullError, match="Free space on the disk"):
        add(queue, Transfer(), 1)
    assert queue.series() == []


def test_a_series_that_was_not_sent_keeps_its_files_however_old_it_is(open_queue, tmp_path):
    queue = open_queue()
    send(queue, 1, 2)
    queue.remove_old(-1)
    (series,) = queue.series()
    assert series.state == WAITING and series.image_uids() == {"1.2.1", "1.2.2"}
    assert denoise(queue, tmp_path)
    queue.remove_old(-1)
    assert series.state == SENDING and list(series.result.iterdir())


def test_series_are_remembered_after_their_images_were_removed(open_queue, tmp_path):
    queue, names = open_queue(), [f"1.{number}" for number in range(3, 8)]
    for name in names:
        send(queue, 1, series=name)
        assert denoise(queue, tmp_path)
        queue.sent(queue._series[name], "1 images sent.")
        remove_folder(tmp_path / "snapshot")
    queue.remove_old(-1)
    for name in names:
        send(queue, 1, series=name)
    assert {series.uid: series.state for series in queue.series()} == dict.fromkeys(names, SENT)


def test_only_old_parts_of_images_are_abandoned(open_queue):
    queue = open_queue()
    old, new = queue.partial / "old", queue.partial / "new"
    for path in (old, new):
        path.write_bytes(bytes(100))
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    queue.remove_abandoned_parts(600)
    assert list(queue.partial.iterdir()) == [new]


@pytest.mark.parametrize("uid", ["../../etc", "", "1..2", "1." * 40 + "1", "1.2/3"])
def test_an_identifier_that_is_no_uid_names_no_file(open_queue, uid):
    queue = open_queue()
    part = queue.partial / "image"
    part.write_bytes(b"")
    for image in (Image(uid, "1.2", ""), Image("1.2", uid, "")):
        with pytest.raises(ValueError, match="not a valid UID"):
            queue.add(part, image, "PACS", Transfer())
    assert queue.series() == []
