"""Time, storage and bottleneck of a large cohort follow from the measured costs."""

from __future__ import annotations

import csv

import pytest
from PseudoCTDenoiseLib.cohort.estimate import estimate_text, scan_cost
from PseudoCTDenoiseLib.cohort.table import read_table
from PseudoCTDenoiseLib.errors import BadInputError


def row(**values):
    row = {"name": "a", "exit": "0", "slices": "10", "device": "CPU", "driver_seconds": "0.001"}
    row |= {"cpu_seconds": "105"}
    row |= {"seconds": "105", "compute_seconds": "100", "read_bytes": "1e8", "written_bytes": "5e7"}
    return row | values


def lines(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()][-3:]


def test_the_cost_is_the_mean_of_the_denoised_scans():
    rows = [row(), row(exit="5", seconds="55", compute_seconds="50", slices="20")]
    rows.append(row(exit="2", seconds="1", compute_seconds="0", slices=""))
    cost = scan_cost(rows)
    assert (cost.scans, cost.slices) == (2, 15)
    assert (cost.compute_seconds, cost.files_seconds) == (75, pytest.approx(5))
    with pytest.raises(BadInputError, match="no denoised scan"):
        scan_cost(rows[2:])


@pytest.mark.parametrize(
    ("device", "processor", "seconds"), [("CPU", 21, 20), ("CPU", 400, 100), ("H100", 21, 100)]
)
def test_other_programs_on_the_processor_do_not_count(device, processor, seconds):
    cost = scan_cost([row(device=device, cpu_seconds=str(processor))])
    assert cost.compute_seconds == pytest.approx(seconds)


def test_the_slowest_part_is_the_first_bottleneck():
    text = estimate_text([row()], 100_000, 64)
    assert "100,000 scans read 10.00 TB and write 5.00 TB. On 64 workers:" in text
    slow, faster, fastest = lines(text)
    # 105 s, 15 s and 6 s a scan; the storage delivers 8.33 scans a second.
    assert slow == ["1×", "45.6", "0.6", "91", "networks", "storage, from 875 workers"]
    assert faster == ["10×", "6.5", "4.3", "640", "networks", "storage, from 125 workers"]
    assert fastest[0] == "100×" and fastest[3:5] == ["1250", "storage"]
    assert lines(estimate_text([row(driver_seconds="2")], 1000, 64))[0][4] == "driver"
    files = lines(estimate_text([row(compute_seconds="1")], 1000, 4))[0]
    assert files[4] == "reading, planning and writing in the workers"


def test_the_command_prints_the_estimate_of_a_finished_cohort(pseudoct, tmp_path):
    columns = list(row())
    table = "\n".join([",".join(columns), ",".join(row().values())])
    (tmp_path / "cohort.csv").write_text(f"{table}\n", encoding="utf-8")
    ended = pseudoct("cohort", "--out", tmp_path, "--estimate", "1000", "8")
    assert ended.code == 0
    assert ended.out == estimate_text(read_table(tmp_path / "cohort.csv"), 1000, 8)
    assert pseudoct("cohort", "--out", tmp_path, "--estimate", "0", "8").code == 2
    assert pseudoct("cohort", "--out", tmp_path / "none", "--estimate", "1", "8").code == 2


def write_table(folder, rows, encoding="utf-8", delimiter=","):
    with open(folder / "cohort.csv", "w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_a_table_that_a_spreadsheet_saved_is_read(pseudoct, tmp_path):
    write_table(tmp_path, [row(), dict.fromkeys(row(), "")], encoding="utf-8-sig")
    ended = pseudoct("cohort", "--out", tmp_path, "--estimate", "1000", "8")
    assert (ended.code, ended.out) == (0, estimate_text([row()], 1000, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"seconds": "105,5"}, "'105,5' under seconds of the scan 'a'"),
        ({"seconds": ""}, "'' under seconds of the scan 'a'"),
        ({"exit": "done"}, "'done' under exit of the scan 'a'"),
        ({"slices": "nan"}, "'nan' under slices of the scan 'a'"),
        ({"read_bytes": "-1"}, "'-1' under read_bytes of the scan 'a'"),
        ({"cpu_seconds": None}, "lacks the columns cpu_seconds"),
    ],
)
def test_a_cell_or_a_column_that_cannot_be_used_is_named(pseudoct, tmp_path, values, words):
    changed = {key: value for key, value in row(**values).items() if value is not None}
    write_table(tmp_path, [changed])
    ended = pseudoct("cohort", "--out", tmp_path, "--estimate", "1000", "8")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert words in ended.err


@pytest.mark.parametrize(
    ("saved", "words"),
    [({"delimiter": ";"}, "commas do not separate"), ({"encoding": "utf-16"}, "not a CSV file")],
)
def test_a_table_in_another_form_is_refused(pseudoct, tmp_path, saved, words):
    write_table(tmp_path, [row()], **saved)
    ended = pseudoct("cohort", "--out", tmp_path, "--estimate", "1000", "8")
    assert (ended.code, ended.err.count("\n")) == (2, 1) and words in ended.err


def test_the_estimate_of_the_documents_is_that_of_its_table(repository):
    rows = read_table(repository / "Docs" / "results" / "cohort.csv")
    page = (repository / "Docs" / "cohorts.md").read_text("utf-8")
    block = page.partition("<!-- ESTIMATE -->\n")[2].partition("<!-- /ESTIMATE -->")[0]
    assert block == estimate_text(rows, 100_000, 64)
    assert "`pseudoct cohort --out cohort --estimate 100000 64`" in page
