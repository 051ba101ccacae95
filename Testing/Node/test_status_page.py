"""The status page shows what senders wrote as text."""

from __future__ import annotations

from PseudoCTDenoiseLib.node.configuration import Destination, NodeConfiguration
from PseudoCTDenoiseLib.node.series_record import SeriesRecord
from PseudoCTDenoiseLib.node.status_page import status_page


def test_what_senders_wrote_is_text_and_no_html(tmp_path):
    evil = "<script>alert(1)</script>"
    destination = Destination("<b>PACS</b>", "127.0.0.1", 104)
    configuration = NodeConfiguration("<i>NODE</i>", 104, tmp_path, ("PACS",), destination)
    series = SeriesRecord(tmp_path, "1.2", description=evil, sender=evil, words=evil)
    page = status_page(configuration, [series])
    assert not [tag for tag in ("<script", "<b>", "<i>") if tag in page]
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
