"""The receiver limits the number of senders and their idle time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from dicom_factory import ct_slice
from dicom_network import NODE, PACS, SENDER, association, free_port, wait_for
from PseudoCTDenoiseLib.ct.io import dicom_files
from PseudoCTDenoiseLib.node.configuration import Destination, NodeConfiguration
from PseudoCTDenoiseLib.node.receiver import Receiver
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, _config


@pytest.fixture
def queue(tmp_path) -> Mock:
    return Mock(partial=tmp_path)


@pytest.fixture
def listen(tmp_path, monkeypatch, queue) -> Iterator[Callable[..., int]]:
    """Function that starts a receiver and returns its port."""
    monkeypatch.setattr(_config, "STORE_RECV_CHUNKED_DATASET", False)  # is restored at the end
    receivers, destination = [], Destination(PACS, "127.0.0.1", 104)

    def listen(**values) -> int:
        port = free_port()
        configuration = NodeConfiguration(NODE, port, tmp_path, (SENDER,), destination, **values)
        receivers.append(Receiver(configuration, queue))
        return port

    yield listen
    for receiver in receivers:
        receiver.close()


def test_only_the_configured_number_of_senders_is_served_at_a_time(listen):
    port = listen(associations=2)
    with association(port) as first, association(port) as second, association(port) as third:
        assert first.is_established and second.is_established and third.is_rejected


def test_a_connection_without_traffic_is_closed(listen):
    with association(listen(idle_seconds=0.3)) as sender:
        assert sender.is_established
        wait_for(lambda: not sender.is_established, 20)


@pytest.mark.parametrize(("length", "idle_seconds"), [(100, 0.3), (0xFFFFFFFF, 60)])
def test_a_connection_with_a_message_that_stops_or_is_too_long_is_closed(
    listen, queue, length, idle_seconds
):
    port = listen(idle_seconds=idle_seconds, associations=1)
    with association(port) as sender:
        # The first bytes of a message; the network then fails without closing the connection.
        sender.dul.socket.socket.send(bytes([4, 0]) + length.to_bytes(4, "big") + bytes(1))
        wait_for(lambda: queue.abort_transfer.mock_calls, 20)
    (ended,) = queue.abort_transfer.mock_calls
    wait_for(lambda: not ended.args[0].is_alive(), 20)
    with association(port) as another:
        assert another.is_established


def test_a_deflated_image_is_not_expanded(listen, queue, monkeypatch):
    image = ct_slice()
    image.SeriesDescription = "Thorax"
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    entity = AE(SENDER)
    entity.add_requested_context(CTImageStorage, DeflatedExplicitVRLittleEndian)
    sender = entity.associate("127.0.0.1", listen(), ae_title=NODE)
    monkeypatch.setattr(dicom_files, "START_BYTES", 2000)  # fewer than the image has
    monkeypatch.setattr(zlib, "decompress", Mock(side_effect=MemoryError))
    assert sender.send_c_store(image).Status == 0
    sender.release()
    _, received, *_ = queue.add.call_args.args
    assert received == (image.SOPInstanceUID, image.SeriesInstanceUID, "Thorax")
