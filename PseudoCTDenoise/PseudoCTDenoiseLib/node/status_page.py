"""Page for a browser with the state of every series of the node. It shows no patient data."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from ..temporary_files import replace_file
from .configuration import NodeConfiguration
from .series_record import SENDING, SENT, SeriesRecord

NAME = "status.html"
SHOWN = 200
"""Maximum number of series on the page."""
COLUMNS = ("Changed", "From", "Series", "Description", "Images", "State", "Remark")
STYLE = (
    "body{font-family:sans-serif;margin:2em} table{border-collapse:collapse} "
    "td,th{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
)


def write_status_page(configuration: NodeConfiguration, series: Sequence[SeriesRecord]) -> None:
    """Write the page to the folder of the queue, the latest changes first."""
    page = status_page(configuration, series)
    replace_file(configuration.folder / NAME, page.encode())


def status_page(configuration: NodeConfiguration, series: Sequence[SeriesRecord]) -> str:
    """Return the page as HTML, which a browser loads again every 10 seconds."""
    counts = Counter(entry.state for entry in series)
    summary = ", ".join(f"{number} {state}" for state, number in counts.items()) or "no series yet"
    latest = sorted(series, key=lambda entry: entry.changed, reverse=True)[:SHOWN]
    title, to = html.escape(configuration.ae_title), configuration.send_to
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="refresh" content="10"><title>{title}</title>',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f"<p>Listens on {html.escape(configuration.address)} port {configuration.port}, sends "
            f"to {html.escape(to.ae_title)} ({html.escape(to.address)} port {to.port}). "
            "Research use only.</p>",
            f"<p>{html.escape(summary)}</p><table>",
            _row(COLUMNS, "th"),
            *(_row(_cells(entry), "td") for entry in latest),
            "</table></body></html>",
        ]
    )


def _cells(entry: SeriesRecord) -> Sequence[str]:
    changed = datetime.fromtimestamp(entry.changed).strftime("%Y-%m-%d %H:%M:%S")
    images = str(len(entry.image_uids() or entry.denoised))
    doubts = entry.doubts if entry.state in (SENDING, SENT) else ""
    remark = f"{entry.words} {doubts}".strip()
    return changed, entry.sender, entry.uid, entry.description, images, entry.state, remark


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
