"""A model card shows the manifest, credits its sources and marks missing entries."""

import re

import pytest
from PseudoCTDenoiseLib.models.card import NOT_STATED, model_card
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.models.store import Manifest, list_models

SCANS = [
    {"patient": "a", "source": "TCIA One", "licence": "CC BY 4.0"},
    {"patient": "b", "source": "TCIA One", "licence": "CC BY 4.0"},
    {"patient": "c", "source": "TCIA Two", "licence": "CC BY 3.0"},
    {"patient": "d", "source": "", "licence": "Apache-2.0"},
]
SETTINGS = {
    "role": DENOISER,
    "loss": "l1",
    "balance": True,
    "noise_range": {"doses": [0.08, 0.8]},
    "augmentation": None,
    "limit_hu": 81.92,
    "thickness_mm": [1, 3, 5],
    "sharpness": [0.0, 0.5, 1.0],
    "kernels": {"mixed": {"from": "soft"}},
}
MANIFEST = Manifest(
    "fast",
    DENOISER,
    "UNet",
    {"widths": [4, 8]},
    steps=7,
    training={"scans": SCANS, "start": "other", "settings": SETTINGS},
    metrics={"gain_soft_db": 3.647},
    validity=["Axial slices of adults."],
    known_failures=["Streaks of metal stay.", "It smooths what hardly stands out."],
    noise_models=["noise-a"],
    sha256="a" * 64,
)


def section(card, title):
    return re.search(rf"^## {title}\n\n(.*?)(?=^## |\Z)", card, re.DOTALL | re.MULTILINE)[1].strip()


def test_the_card_states_role_network_and_weights():
    text = section(model_card(MANIFEST, 1234567), "What it is")
    for said in ("denoiser", "`UNet` with widths 4, 8, 1,234,567 weights", "MICCAI 2015"):
        assert said in text
    for said in ("(HU + 1024) / 4096", "slice denoised, in HU", "`noise-a`", "a" * 64):
        assert said in text
    noise = Manifest("n", NOISE_MODEL, "UNet", {}, sha256="b" * 64)
    assert "its noise, in HU" in section(model_card(noise, 5), "What it is")


def test_every_source_is_credited_with_its_licence():
    text = section(model_card(MANIFEST, 1), "Training data")
    assert text.startswith("4 patients.")
    by = "[CC BY {0}](https://creativecommons.org/licenses/by/{0}/)"
    assert f"| TCIA One | {by.format('4.0')} | 2 | a, b |" in text
    assert f"| TCIA Two | {by.format('3.0')} | 1 | c |" in text
    assert "| not stated | Apache-2.0 | 1 | d |" in text


def test_every_setting_is_listed_in_words():
    lines = section(model_card(MANIFEST, 1), "Training").splitlines()
    assert lines == [
        "- Steps until the weights that were kept: 7",
        "- Weights to start from: other",
        "- Loss: l1",
        "- Balance: yes",
        "- Noise range: fractions of the dose 0.08 to 0.8",
        "- Augmentation: none",
        "- Limit (HU): 81.92",
        "- Thickness (mm): 1, 3, 5",
        "- Kernels (0 is soft, 1 is sharp): 0, 0.5, 1",
        "- Kernels: mixed (from soft)",
    ]
    assert section(model_card(MANIFEST, 1), "On validation scans") == "- Gain soft (dB): 3.647"


def test_validity_and_failures_are_those_of_the_manifest():
    card = model_card(MANIFEST, 1)
    assert section(card, "Range of validity") == "- Axial slices of adults."
    assert section(card, "Known failures").splitlines() == [
        "- Streaks of metal stay.",
        "- It smooths what hardly stands out.",
    ]


def test_missing_entries_are_marked_as_not_stated():
    card = model_card(Manifest("bare", DENOISER, "RedCnn", {"channels": 4}), 1)
    titles = ("Range of validity", "Known failures", "Training data", "Training")
    for title in (*titles, "On validation scans"):
        assert section(card, title) == NOT_STATED


@pytest.mark.parametrize("manifest", list_models(), ids=lambda manifest: manifest.name)
def test_every_shipped_model_has_a_card(manifest):
    card = model_card(manifest, 1)
    assert "not stated" not in section(card, "Training data")
    assert manifest.sha256 in card
