"""The receiving side of the DICOM node: C-STORE of CT series and C-ECHO, for known senders only."""

from __future__ import annotations

import tempfile
import threading
from typing import TYPE_CHECKING

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ..ct.io.dicom_content import CT_CLASSES
from ..ct.io.dicom_files import ignore_pydicom_warnings, read_start
from ..errors import BadInputError
from .configuration import NodeConfiguration
from .connection_limits import limit_connection
from .log import LOG
from .loop_guard import GUARD_KEYWORDS, is_own_image
from .series_queue import Image, QueueFullError, SeriesQueue

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event

TRANSFER_SYNTAXES = [
    *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian),
    *(JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless),
    *(JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000),
]
"""Encodings of pixels that the reader of the scans knows."""
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
"""Status codes of C-STORE (PS3.4 B.2.3)."""
KEYWORDS = (
    *("SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription", "SpecificCharacterSet"),
    *GUARD_KEYWORDS,
)
RAISE = "raise image_mib, or do not send such images"


class Receiver:
    """Server that writes received images to the queue, piece by piece and not through memory.

    Raises
    ------
    BadInputError
        If the address cannot be used.
    """

    def __init__(self, configuration: NodeConfiguration, queue: SeriesQueue):
        from pynetdicom import AE, _config, evt
        from pynetdicom.sop_class import Verification

        self._queue = queue
        self._image_bytes = configuration.image_mib * 2**20
        self._lock = threading.Lock()
        self._pending: dict[Association, int] = {}
        self._own: set[str] = set()
        _config.STORE_RECV_CHUNKED_DATASET = True
        tempfile.tempdir = str(queue.partial)  # pynetdicom writes the pieces there
        entity = AE(configuration.ae_title)
        entity.require_calling_aet = list(configuration.accept)
        entity.require_called_aet = True
        entity.maximum_associations = configuration.associations
        entity.network_timeout = configuration.idle_seconds
        entity.add_supported_context(Verification)
        for kind in CT_CLASSES:
            entity.add_supported_context(kind, TRANSFER_SYNTAXES)
        handlers = [
            (evt.EVT_CONN_OPEN, limit_connection, [configuration.idle_seconds]),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_PDU_RECV, self._count_bytes),
            (evt.EVT_RELEASED, lambda event: queue.end_transfer(event.assoc)),
            (evt.EVT_ABORTED, self._note_abort),
            (evt.EVT_REJECTED, self._note_rejection),
        ]
        address = configuration.address, configuration.port
        try:
            entity.start_server(address, block=False, evt_handlers=handlers)
        except OSError as error:
            raise BadInputError(
                f"Cannot listen on {address[0]} port {address[1]}: {error.strerror or error}. "
                "Choose another address or port."
            ) from error
        self._entity = entity

    def close(self) -> None:
        """Abort all transfers and stop to listen; may be repeated."""
        self._entity.shutdown()
        tempfile.tempdir = None

    def abort_large_images(self) -> None:
        """Abort the transfers whose current image is larger than the limit."""
        with self._lock:
            self._pending = {each: size for each, size in self._pending.items() if each.is_alive()}
            large = [each for each, size in self._pending.items() if size > self._image_bytes]
        for transfer in large:
            LOG.warning(
                "%s sends an image of more than %g MiB, so the transfer is ended: %s.",
                _sender(transfer),
                self._image_bytes / 2**20,
                RAISE,
            )
            transfer.abort()

    def _store(self, event: Event) -> int:
        sender, image = _sender(event.assoc), None
        try:
            with ignore_pydicom_warnings():
                header = read_start(event.dataset_path, KEYWORDS)
                image = Image(
                    str(header.SOPInstanceUID),
                    str(header.SeriesInstanceUID),
                    str(header.get("SeriesDescription") or ""),
                )
                is_own = is_own_image(header)
            if is_own:
                self._note_own(image.series_uid, sender)
                return SUCCESS
            self._check_size(event.dataset_path.stat().st_size)
            self._queue.add(event.dataset_path, image, sender, event.assoc)
        except QueueFullError as error:
            LOG.warning("An image of %s was refused. %s", sender, error)
            status = OUT_OF_RESOURCES
        except OSError as error:
            LOG.warning("An image of %s could not be written: %s.", sender, error)
            status = OUT_OF_RESOURCES
        except Exception as error:  # pydicom raises many kinds of errors for damaged files
            LOG.warning("An image of %s is damaged and was refused: %s.", sender, error)
            status = CANNOT_UNDERSTAND
        else:
            status = SUCCESS
        finally:
            with self._lock:
                self._pending[event.assoc] = 0
        if status != SUCCESS:
            if image:
                self._queue.fail(event.assoc, image.sop_uid, image.series_uid)
            else:
                self._queue.fail(event.assoc, str(event.request.AffectedSOPInstanceUID))
        return status

    def _check_size(self, size: int) -> None:
        if size > self._image_bytes:
            raise QueueFullError(f"It is larger than {self._image_bytes / 2**20:g} MiB: {RAISE}.")

    def _count_bytes(self, event: Event) -> None:
        with self._lock:
            size = self._pending.get(event.assoc, 0)
            self._pending[event.assoc] = size + getattr(event.pdu, "pdu_length", 0)

    def _note_own(self, series_uid: str, sender: str) -> None:
        """Log once for each series; a sender that got an error would send it again and again."""
        with self._lock:
            if series_uid in self._own:
                return
            self._own = {*list(self._own)[-100:], series_uid}
        LOG.info("%s sent %s, which is a result of this project: left out.", sender, series_uid)

    def _note_abort(self, event: Event) -> None:
        self._queue.abort_transfer(event.assoc)
        LOG.warning("The connection of %s ended early.", _sender(event.assoc))

    def _note_rejection(self, event: Event) -> None:
        LOG.warning(
            "%s was rejected. Its AE title must be listed under accept, it must call this node by "
            "ae_title, and only a limited number of transfers can run at a time.",
            _sender(event.assoc),
        )


def _sender(transfer: Association) -> str:
    requestor = transfer.requestor
    title = requestor.primitive.calling_ae_title if requestor.primitive else requestor.ae_title
    return f"{title} ({requestor.address})"
