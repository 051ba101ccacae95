"""The tables of the documents match the result files, and these match the current settings."""

import pytest
from pseudoct_research.evaluation.comparison import COLUMNS, summary
from pseudoct_research.evaluation.paper_loop_study import PRESET
from pseudoct_research.evaluation.study_command import STUDIES
from pseudoct_research.paper import ablate_command as ablate
from pseudoct_research.paper.ablations import ABLATIONS, ablation_rows
from pseudoct_research.paper.cells import fresh_cells, read_cells, table
from pseudoct_research.paper.experiment_data import simulated_description
from pseudoct_research.paper.experiment_runs import SLICES
from pseudoct_research.paper.table1 import ROWS
from pseudoct_research.paper.table1_command import table_text
from pseudoct_research.results.results_table import check_block, read_csv
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS

METHOD_PAGE = "Docs/research/method.md"
DEFAULT_METHOD_PAGE = "Docs/research/default-method.md"
README_ROWS = {
    "Low-dose scan": "LDCT",
    "Non-local means, best setting": "Non-local means (strength 0.6)",
    "Our network, not tuned": "fast, 8 orientations",
    "Our network, default method": "fast + method",
}
"""Name of a row in the README's table → name of the method in the CSV files."""


def block(page, marker):
    text = check_block(page, marker)
    return text.split(f"<!-- {marker} -->\n")[1].split(f"\n<!-- /{marker} -->")[0]


def test_the_papers_table_is_that_of_its_cells(repository):
    cells = read_cells(repository / "Docs" / "results" / "table1.csv")
    text = table_text(cells, "red-cnn-32", simulated_description("test", SLICES))
    assert block(repository / METHOD_PAGE, "TABLE1 red-cnn-32") == text.strip()
    assert "not shown" not in text and " of 7 patients" not in text
    assert [row.name for row in ROWS if f"| {row.name} |" not in text] == []
    assert {cell["network"] for cell in cells} == {"red-cnn-32"}


def test_the_ablations_are_those_of_their_cells(repository):
    cells = read_cells(repository / "Docs" / "results" / "ablations.csv")
    rows = ablation_rows()
    fresh = fresh_cells(cells, "red-cnn-32", rows, simulated_description("val", SLICES))
    assert fresh == cells
    lines = {line["row"]: line for line in table(fresh, rows)}
    assert list(lines) == [row.name for row in rows]
    for name in next(iter(ABLATIONS.values())):
        text = ablate.setting_table(name, lines)
        assert block(repository / METHOD_PAGE, f"ABLATION {name}") == text.strip()


def test_the_preset_paper_gains_on_every_validation_scan(repository):
    rows = read_csv(repository / "Docs" / "results" / "study-paper-loop.csv")
    table = STUDIES["paper-loop"].table(rows)
    assert block(repository / METHOD_PAGE, "STUDY paper-loop") == table.strip()
    others = read_csv(repository / "Docs" / "results" / "study-paper-doses.csv")
    table = STUDIES["paper-doses"].table(others)
    assert block(repository / METHOD_PAGE, "STUDY paper-doses") == table.strip()
    of_preset = [row for row in rows if (row["split"], row["method"]) == ("val", PRESET)]
    assert {row["kernel"] for row in of_preset} == set(KERNELS)
    assert min(float(row["more"]) for row in of_preset) > 0


def scores_of_the_test_scans(repository, kernel):
    """Return the rows of a kernel's results table, from the scores of every test scan."""
    words = ("kernel", "method", "patient")
    scores = [
        {key: value if key in words else float(value) for key, value in line.items()}
        for line in read_csv(repository / "Docs" / "results" / f"test-{kernel}.csv")
    ]
    assert {score["kernel"] for score in scores} == {kernel}
    return summary([{k: v for k, v in s.items() if k not in ("kernel", "dose")} for s in scores])


@pytest.mark.parametrize("kernel", ["soft", "sharp"])
def test_the_results_are_those_of_the_scores(repository, kernel):
    text = block(repository / DEFAULT_METHOD_PAGE, f"RESULTS {kernel}")
    table_lines = text.partition("\n\n")[2]
    assert table_lines == markdown(scores_of_the_test_scans(repository, kernel), COLUMNS).strip()


def test_the_curves_of_the_stop_rule_end_at_the_steps_of_the_default(repository):
    rows = read_csv(repository / "Docs" / "results" / "study-stopping.csv")
    steps = DenoisingSettings().steps
    assert {int(row["step"]) for row in rows if row["chosen"] == "True"} == {steps}
    page = (repository / DEFAULT_METHOD_PAGE).read_text(encoding="utf-8")
    assert f"within the default's {steps} steps. On all eight curves it is the last" in page


def test_the_table_of_the_readme_is_that_of_the_scores(repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    lines = [line for line in readme.splitlines() if line.split(" | ")[0][2:] in README_ROWS]
    assert lines == [
        "| " + " | ".join([name, *_cells(repository, method)]) + " |"
        for name, method in README_ROWS.items()
    ]


def _cells(repository, method):
    """Yield gain, SSIM and noise reduction of a method, for the soft, then the sharp kernel."""
    for kernel in ("soft", "sharp"):
        rows = scores_of_the_test_scans(repository, kernel)
        (row,) = [row for row in rows if row["method"] == method]
        reference = method == "LDCT"
        yield "–" if reference else f"{row['gain_mean']:+.2f}".replace("-", "−")
        yield f"{row['ssim_4096']:.4f}"
        yield "–" if reference else f"{row['noise_reduction']:.0f}"
