"""The pages' tables are those of the result files, and these were made by today's settings."""

import pytest
from pseudoct_research.evaluation.results_table import check_block
from pseudoct_research.paper import ablate_command as ablate
from pseudoct_research.paper.ablations import ABLATIONS, ablation_rows
from pseudoct_research.paper.cells import fresh_cells, read_cells, table
from pseudoct_research.paper.experiment_command import SLICES
from pseudoct_research.paper.experiment_data import simulated_description
from pseudoct_research.paper.pretrained import CHANNELS
from pseudoct_research.paper.table1 import ROWS
from pseudoct_research.paper.table1_command import table_text


def block(page, marker):
    text = check_block(page, marker)
    return text.split(f"<!-- {marker} -->\n")[1].split(f"\n<!-- /{marker} -->")[0]


@pytest.mark.parametrize("network", CHANNELS)
def test_the_papers_table_is_that_of_its_cells(repository, network):
    cells = read_cells(repository / "Docs" / "results" / "table1.csv")
    text = table_text(cells, network, simulated_description("test", SLICES))
    assert block(repository / "README.md", f"TABLE1 {network}") == text.strip()
    assert "left out" not in text and " of 7 patients" not in text


def test_all_rows_are_there_with_a_third_of_the_channels(repository):
    text = block(repository / "README.md", "TABLE1 red-cnn-32")
    assert [row.name for row in ROWS if f"| {row.name} |" not in text] == []


def test_the_ablations_are_those_of_their_cells(repository):
    cells = read_cells(repository / "Docs" / "results" / "ablations.csv")
    rows = ablation_rows()
    fresh = fresh_cells(cells, "red-cnn-32", rows, simulated_description("val", SLICES))
    assert fresh == cells
    lines = {line["row"]: line for line in table(fresh, rows)}
    assert list(lines) == [row.name for row in rows]
    for name in next(iter(ABLATIONS.values())):
        text = ablate.setting_table(name, lines)
        assert block(repository / "Docs" / "method.md", f"ABLATION {name}") == text.strip()
