"""The tables of the documents match the result files, and these match the current settings."""

import pytest
from pseudoct_research.evaluation.comparison import summary, tuning_gains
from pseudoct_research.evaluation.evaluate_command import read_scores, results_text
from pseudoct_research.evaluation.paper_loop_study import PRESET
from pseudoct_research.evaluation.real_pairs_command import MEASUREMENTS
from pseudoct_research.evaluation.study_command import STUDIES
from pseudoct_research.paper import ablate_command as ablate
from pseudoct_research.paper.ablations import ABLATIONS, ablation_rows
from pseudoct_research.paper.cells import fresh_cells, read_cells, table
from pseudoct_research.paper.experiment_data import simulated_description
from pseudoct_research.paper.experiment_runs import SLICES
from pseudoct_research.paper.table1 import ROWS
from pseudoct_research.paper.table1_command import table_text
from pseudoct_research.results.results_table import check_block, has_block, read_csv
from pseudoct_research.training.training_pairs import LEAST_SLICES
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
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


@pytest.mark.parametrize("name", STUDIES)
def test_the_table_of_a_study_is_that_of_its_rows(repository, name):
    rows = read_csv(repository / "Docs" / "results" / f"study-{name}.csv")
    (page,) = (
        page
        for page in (METHOD_PAGE, DEFAULT_METHOD_PAGE)
        if has_block(repository / page, f"STUDY {name}")
    )
    assert block(repository / page, f"STUDY {name}") == STUDIES[name].table(rows).strip()


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_the_tables_of_real_pairs_are_those_of_their_rows(repository, name):
    rows = read_csv(repository / "Docs" / "results" / f"real-pairs-{name}.csv")
    text = block(repository / DEFAULT_METHOD_PAGE, f"REAL {name}")
    assert text == MEASUREMENTS[name].table(rows).strip()


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
    of_preset = [row for row in rows if (row["split"], row["method"]) == ("val", PRESET)]
    assert {row["kernel"] for row in of_preset} == set(KERNELS)
    assert min(float(row["more"]) for row in of_preset) > 0


def scores_of_the_test_scans(repository, kernel):
    return read_scores(repository / "Docs" / "results" / f"test-{kernel}.csv")


@pytest.mark.parametrize("kernel", ["soft", "sharp"])
def test_the_results_are_those_of_the_scores(repository, kernel):
    scores = scores_of_the_test_scans(repository, kernel)
    assert {(score["split"], score["kernel"]) for score in scores} == {("test", kernel)}
    text = block(repository / DEFAULT_METHOD_PAGE, f"RESULTS {kernel}")
    assert text == results_text(scores).strip()


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


def test_the_readme_states_the_gain_of_the_tuning_on_whole_scans(repository):
    means, ranges = [], []
    for kernel in ("soft", "sharp"):
        scores = scores_of_the_test_scans(repository, kernel)
        rows = {row["method"]: row["gain_mean"] for row in summary(scores)}
        means.append(rows["fast + method"] - rows["fast, 8 orientations"])
        gains = [gain for score, gain in tuning_gains(scores) if score["slices"] >= LEAST_SLICES]
        assert len(gains) == 3
        ranges.append(f"{min(gains):.2f} to {max(gains):.2f} dB")
    readme = (repository / "README.md").read_text(encoding="utf-8")
    mean = "adds {:.2f} dB (soft) and {:.2f} dB (sharp) to the network alone".format(*means)
    whole = "on the three whole scans it adds {} and {}.".format(*ranges)
    assert mean in readme and whole in readme


def _cells(repository, method):
    """Yield gain, SSIM and noise reduction of a method, for the soft, then the sharp kernel."""
    for kernel in ("soft", "sharp"):
        rows = summary(scores_of_the_test_scans(repository, kernel))
        (row,) = [row for row in rows if row["method"] == method]
        reference = method == "LDCT"
        yield "–" if reference else f"{row['gain_mean']:+.2f}".replace("-", "−")
        yield f"{row['ssim_4096']:.4f}"
        yield "–" if reference else f"{row['noise_reduction']:.0f}"
