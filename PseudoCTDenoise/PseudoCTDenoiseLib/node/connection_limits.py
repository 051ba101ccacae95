"""Limits of a network connection that pynetdicom lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynetdicom.events import Event

LONGEST_MESSAGE = 1 << 20
"""Number of bytes of the longest accepted message. Pieces of images are shorter than 16 kB."""


def limit_connection(event: Event, seconds: float) -> None:
    """Limit the silence in the middle of a message, and the length of a message.

    A connection that is silent longer would stay forever, and so would whoever waits for its end.
    pynetdicom collects a message in memory, and its header may announce 4 GB.
    """
    connection = event.assoc.dul.socket
    connection.socket.settimeout(seconds)
    receive = connection.recv

    def receive_limited(size: int) -> bytearray:
        if size > LONGEST_MESSAGE:
            raise OSError(f"a message of {size} bytes is too long")
        return receive(size)

    connection.recv = receive_limited
