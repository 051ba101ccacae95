"""Images that did not arrive are told with their reason, and others count as sent."""

from __future__ import annotations

import socket
import threading
from unittest.mock import Mock

import pytest
from dicom_factory import ct_slice, write
from PseudoCTDenoiseLib.node import sender
from PseudoCTDenoiseLib.node.configuration import Destination
from PseudoCTDenoiseLib.node.sender import SendingError, UnreachableError, send_series

pynetdicom = pytest.importorskip("pynetdicom")
PACS = Destination("PACS", "pacs.hospital.invalid", 104)


def test_a_name_without_an_address_is_a_destination_that_is_down(monkeypatch):
    def associate(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(pynetdicom.AE, "associate", associate)
    with pytest.raises(UnreachableError, match=r"PACS .* cannot be reached \(Name or service"):
        send_series([], "NODE", PACS)


@pytest.fixture
def connect(monkeypatch):
    """Function that lets the destination answer each image; an error is raised instead."""

    def connect(*answers) -> Mock:
        statuses = [{"Status": each} if isinstance(each, int) else each for each in answers]
        connection = Mock(is_established=True, send_c_store=Mock(side_effect=statuses))
        monkeypatch.setattr(pynetdicom.AE, "associate", lambda *_, **__: connection)
        return connection

    return connect


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "Permission denied"), "Permission denied"), (EOFError("Odd\n"), "Odd")],
)
def test_a_result_that_cannot_be_read_is_named(connect, tmp_path, error, words):
    connection = connect(error)
    with pytest.raises(SendingError, match=rf"0001\.dcm cannot be read \({words}\)"):
        send_series([tmp_path / "0001.dcm"], "NODE", PACS)
    connection.release.assert_called_once()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0xA700, "PACS .* refused image 2 with status 0xA700"),
        (0xC001, "PACS .* refused image 2 with status 0xC001"),
        (0x0110, "PACS .* refused image 2 with status 0x0110"),
        ({}, "PACS .* ended the connection at image 2"),
    ],
)
def test_an_image_that_was_not_stored_is_named(connect, answer, words):
    connection = connect(0, answer)
    with pytest.raises(SendingError, match=words):
        send_series(["0001.dcm", "0002.dcm"], "NODE", PACS)
    connection.release.assert_called_once()


def test_an_image_that_was_stored_with_a_warning_counts_as_sent(connect):
    paths = ["0001.dcm", "0002.dcm", "0003.dcm"]
    connection = connect(0xB000, 0xB007, 0)
    send_series(paths, "NODE", PACS)
    assert [call.args for call in connection.send_c_store.call_args_list] == [
        (path,) for path in paths
    ]


def test_a_destination_that_stops_to_read_does_not_stop_the_node(tmp_path, monkeypatch):
    monkeypatch.setattr(sender, "SECONDS", 0.3)
    thawed, image = threading.Event(), ct_slice()
    image.Rows, image.Columns, image.PixelData = 2000, 2000, bytes(2 * 2000 * 2000)
    path = write(image, tmp_path / "larger_than_the_buffers_of_the_network.dcm")

    def freeze(event) -> None:
        if isinstance(event.pdu, pynetdicom.pdu.P_DATA_TF):
            thawed.wait(10)
            thawed.set()

    entity = pynetdicom.AE("PACS")
    entity.add_supported_context(pynetdicom.sop_class.CTImageStorage)
    frozen = [(pynetdicom.evt.EVT_PDU_RECV, freeze)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=frozen)
    try:
        with pytest.raises(SendingError):
            send_series([path], "NODE", Destination("PACS", *server.server_address))
        assert not thawed.is_set()
    finally:
        thawed.set()
        server.shutdown()
