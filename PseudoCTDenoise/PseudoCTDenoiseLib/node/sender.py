"""The sending side of the DICOM node: C-STORE of a derived series to its destination."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import one_line
from .configuration import Destination
from .connection_limits import limit_connection

SECONDS = 30
"""Time limit for a connection, for a piece of an image and for the answer to an image."""


class SendingError(Exception):
    """An image that did not arrive; the message says why and is one line."""


class UnreachableError(SendingError):
    """A destination that takes no connection."""


def send_series(paths: Sequence[Path], ae_title: str, destination: Destination) -> None:
    """Send the files of a series of single-frame CT.

    Sending it again is harmless, since the images keep their identifiers.

    Raises
    ------
    UnreachableError
        If the connection fails.
    SendingError
        If the destination does not take an image.
    """
    from pynetdicom import AE, evt

    entity = AE(ae_title)
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = SECONDS
    entity.add_requested_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    name = f"{destination.ae_title} ({destination.address} port {destination.port})"
    address = destination.address, destination.port
    try:
        limits = [(evt.EVT_CONN_OPEN, limit_connection, [SECONDS])]
        transfer = entity.associate(*address, ae_title=destination.ae_title, evt_handlers=limits)
    except OSError as error:  # such as a name without an address
        raise UnreachableError(f"{name} cannot be reached ({error.strerror or error})") from error
    if not transfer.is_established:
        reason = "rejected the connection" if transfer.is_rejected else "does not answer"
        raise UnreachableError(f"{name} {reason}")
    try:
        for number, path in enumerate(paths, 1):
            status = _status(transfer, path)
            if status is None:
                raise SendingError(f"{name} ended the connection at image {number}")
            if status != 0 and status >> 12 != 0xB:  # warnings begin with B: the image was stored
                raise SendingError(f"{name} refused image {number} with status 0x{status:04X}")
    finally:
        transfer.release()


def _status(transfer, path: Path) -> int | None:
    """Return the answer to an image, or None if there was none."""
    try:
        return transfer.send_c_store(path).get("Status")
    except (RuntimeError, ValueError) as error:  # ended connection, or no common encoding
        raise SendingError(one_line(error)) from error
    except Exception as error:  # pydicom raises many kinds of errors for damaged files
        reason = getattr(error, "strerror", None) or one_line(error)
        raise SendingError(f"{path} cannot be read ({reason})") from error
