"""Row of the traffic light of the removed noise, and of the warnings about the scan."""

from __future__ import annotations

from html import escape

from slicer.i18n import tr as _

from ..denoising.removed_noise import AMBER, GREEN, NOT_JUDGED, RED
from ..scene.provenance import provenanceOf, removedNoiseSentence, removedNoiseSlice

_COLORS = {GREEN: "#2e9e44", AMBER: "#d98e00", RED: "#d03030", NOT_JUDGED: "#808080"}


def showRemovedNoise(label, button, output) -> None:
    """Show the light of a result in a label: name, colour, word, and the figures as its tooltip.

    The button is enabled if the light names a slice.

    Parameters
    ----------
    output : a denoised volume; None, or one of an earlier version without a light, shows a dash.
    """
    light, sentence = removedNoiseSentence(output) if output is not None else (None, "")
    words = {
        GREEN: _("green: no structure found"),
        AMBER: _("amber: perhaps structure"),
        RED: _("red: structure was removed"),
        NOT_JUDGED: _("not judged"),
    }
    text, sentences = "–", [sentence]
    if light in words:
        dot = f'<span style="color:{_COLORS[light]}">●</span>'
        text = f"{escape(output.GetName())}: {dot} {words[light]}"
    index = removedNoiseSlice(output) if output is not None else None
    button.enabled = index is not None
    if index is not None:
        sentences.append(
            _(
                "Slicer's Data Probe counts slices from 0: it shows {index} for slice {number}."
            ).format(index=index, number=index + 1)
        )
    warnings = provenanceOf(output).get("Warnings", []) if output is not None else []
    if warnings:
        text += _("; warnings about the scan: {count}").format(count=len(warnings))
        sentences += warnings
    label.text = text
    label.toolTip = "\n\n".join(filter(None, sentences)) or _(
        "Tells whether the removed noise contains structure. Denoise a scan to see it."
    )
