"""Results tables: format, CSV files and blocks of Markdown pages."""

import csv

import pytest
from pseudoct_research.results.results_table import replace_block, write_csv
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Column, markdown

ROWS = [
    {"method": "LDCT", "psnr": 46.2149, "gain": None, "n": 7},
    {"method": "NLM | 0.8", "psnr": 49.6, "gain": 3.385, "n": 7},
    {"method": "worse", "psnr": float("nan"), "gain": -0.25},
]


def test_a_table_has_units_decimals_signs_and_dashes():
    columns = [
        Column("method", "Method"),
        Column("psnr", "PSNR-4096 in dB"),
        Column("gain", "Gain in dB", decimals=1, signed=True),
        Column("n", "n"),
    ]
    assert markdown(ROWS, columns).splitlines() == [
        "| Method | PSNR-4096 in dB | Gain in dB | n |",
        "| --- | ---: | ---: | ---: |",
        "| LDCT | 46.21 | – | 7 |",
        "| NLM \\| 0.8 | 49.60 | +3.4 | 7 |",
        "| worse | – | −0.2 | – |",
    ]


def test_a_csv_file_keeps_every_key_and_digit(tmp_path):
    path = tmp_path / "results.csv"
    write_csv(path, ROWS)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "psnr", "gain", "n"]
    assert rows[0] == {"method": "LDCT", "psnr": "46.2149", "gain": "", "n": "7"}
    assert rows[2]["n"] == ""
    assert b"\r" not in path.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_is_replaced_and_the_rest_of_the_page_is_unchanged(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# Ü\n<!-- table -->\nold\n<!-- /table -->\nend\n", encoding="utf-8")
    replace_block(page, "table", "| a\\1 |\n")
    expected = "# Ü\n<!-- table -->\n| a\\1 |\n<!-- /table -->\nend\n"
    assert page.read_text(encoding="utf-8") == expected
    replace_block(page, "table", "| a\\1 |\n")
    assert page.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    "content",
    [
        "nothing",
        "<!-- table -->\n",
        "<!-- /table -->\n<!-- table -->\n",
        "<!-- table --><!-- /table --><!-- table --><!-- /table -->",
    ],
)
def test_a_page_without_exactly_one_block_is_refused_and_unchanged(tmp_path, content):
    page = tmp_path / "README.md"
    page.write_text(content)
    with pytest.raises(BadInputError, match="<!-- table -->"):
        replace_block(page, "table", "new")
    assert page.read_text(encoding="utf-8") == content
