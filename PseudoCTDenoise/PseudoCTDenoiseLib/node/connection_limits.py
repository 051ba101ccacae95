"""Limits of a network connection that pynetdicom lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pynetdicom.events import Event


def limit_silence(event: Event, seconds: float) -> None:
    """End a new connection when the other side is silent for some time in the middle of a message.

    Without a limit such a connection stays forever, and so does whoever waits for its end.
    """
    event.assoc.dul.socket.socket.settimeout(seconds)
