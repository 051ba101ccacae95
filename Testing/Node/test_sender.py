"""A destination that cannot be reached and an image that cannot be read are told as such."""

from __future__ import annotations

import socket

import pytest
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


def test_a_result_that_cannot_be_read_is_named(monkeypatch, tmp_path):
    class Connection:
        is_established, released = True, False

        def send_c_store(self, path):
            raise PermissionError(13, "Permission denied")

        def release(self):
            self.released = True

    connection = Connection()
    monkeypatch.setattr(pynetdicom.AE, "associate", lambda *_, **__: connection)
    with pytest.raises(SendingError, match=r"0001\.dcm cannot be read \(Permission denied\)"):
        send_series([tmp_path / "0001.dcm"], "NODE", PACS)
    assert connection.released
