"""Table and page show every scan, mark outliers and give no text a meaning."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.cohort.outliers import find_outliers
from PseudoCTDenoiseLib.cohort.page import MOST_THUMBNAILS, page_text
from PseudoCTDenoiseLib.cohort.table import read_table, table_text
from PseudoCTDenoiseLib.cohort.thumbnail import SIDE_PX, write_thumbnail
from PseudoCTDenoiseLib.errors import BadInputError

EVIL = "<script>alert('1')</script>&\"<img src=x>"


def outcome(name, before=20.0, **values):
    noise = {"noise_before_hu": before, "noise_after_hu": 5.0, "noise_reduction_percent": 75.0}
    return {"name": name, "input": f"/{name}", "exit": 0, "words": "", **noise, **values}


class Elements(HTMLParser):
    """The tags, their attributes and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def test_scans_far_from_the_median_and_red_ones_are_outliers():
    rows = [outcome(f"scan{n}", 20 + n / 10) for n in range(6)]
    rows += [outcome("noisy", 60.0), outcome("red", traffic_light="red")]
    rows += [outcome("failed", None, exit=2, words="odd"), outcome("amber", traffic_light="amber")]
    assert find_outliers(rows) == {
        "noisy": ["noise before 60.0 HU (median 20.2 HU)"],
        "red": ["traffic light red"],
    }
    assert find_outliers(rows[4:7]) == {}


def test_scans_that_are_much_alike_have_no_outlier():
    assert find_outliers([outcome(f"scan{n}", 20.0) for n in range(9)] + [outcome("x", 20.5)]) == {}


def test_the_table_has_a_row_for_each_scan_and_no_formula(tmp_path):
    rows = [
        outcome("a", study_uid="1.2.3", series_uid="1.2.4", traffic_light="green"),
        outcome("b", words='=HYPERLINK("http://x", "y"), and\n more', exit=2, noise_after_hu=None),
        outcome("c", -5.0, mean_absolute_change_hu=1 / 3),
    ]
    text = table_text(rows, {"c": ["far", "red"]})
    a, b, c = csv.DictReader(io.StringIO(text))
    assert (a["study_uid"], a["series_uid"], a["traffic_light"]) == ("1.2.3", "1.2.4", "green")
    assert b["words"] == '\'=HYPERLINK("http://x", "y"), and\n more'
    assert (b["exit"], b["noise_after_hu"], b["traffic_light"]) == ("2", "", "")
    assert (c["noise_before_hu"], c["mean_absolute_change_hu"]) == ("-5", "0.333333")
    assert c["outlier"] == "far; red"
    (tmp_path / "cohort.csv").write_text(text, encoding="utf-8")
    assert read_table(tmp_path / "cohort.csv") == [a, b, c]


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", ""])
def test_another_table_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "cohort.csv").write_text(content, encoding="utf-8")
    with pytest.raises(BadInputError):
        read_table(tmp_path / "cohort.csv")


def test_the_page_is_one_file_without_network_or_script(tmp_path):
    rows = [outcome("good"), outcome(EVIL, words=EVIL, input=EVIL, traffic_light=EVIL)]
    rows.append(outcome("bad", exit=2, words=EVIL, input=EVIL))
    (tmp_path / "scans" / "good").mkdir(parents=True)
    hu = np.zeros((2, 8, 8), np.int16)
    write_thumbnail(tmp_path / "scans" / "good" / "thumbnail.png", hu, hu)
    text = page_text(tmp_path, rows, {EVIL: [EVIL]}, EVIL)
    page = Elements(text)
    assert set(page.tags) <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "table"),
        *("tr", "th", "td", "figure", "figcaption", "img", "a", "br", "span"),
    }
    assert page.text.count(EVIL) >= 6
    links = [value for key, value in page.attributes if key in ("src", "href")]
    assert len(links) > 3
    assert all(link.startswith(("data:image/png;base64,", "scans/")) for link in links)
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    policy = dict(page.attributes)["content"]
    assert "default-src 'none'" in text and policy


def test_outliers_come_first_and_thumbnails_are_limited(tmp_path):
    rows = [outcome(f"scan{n}") for n in range(MOST_THUMBNAILS + 5)]
    last = rows[-1]["name"]
    text = page_text(tmp_path, rows, {last: ["odd"]}, "")
    assert text.count("<figure") == MOST_THUMBNAILS
    assert re.search(r'<figure[^>]*><img alt="([^"]*)"', text)[1] == last
    assert f"{MOST_THUMBNAILS} of {len(rows)} scans" in text


def test_a_thumbnail_shows_original_denoised_and_difference(tmp_path):
    before = np.full((3, 400, 300), -1000, np.int16)
    before[1, 100:300, 100:200] = 40
    after = before.copy()
    after[1, 100:300, 100:200] = 90
    write_thumbnail(tmp_path / "thumbnail.png", before, after)
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "thumbnail.png")))
    rows, columns = image.shape
    assert rows <= SIDE_PX and columns % 3 == 0
    old, new, difference = np.split(image, 3, axis=1)
    centre = rows // 2, columns // 6
    # 40 HU of −160 … 240, 90 HU of the same window, and −50 HU of −100 … 100
    assert (old[centre], new[centre], difference[centre]) == (128, 159, 64)
    assert old[0, 0] == new[0, 0] == 0 and difference[0, 0] == 128
