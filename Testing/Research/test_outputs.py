"""No research command replaces a file that it reads, or a file of another program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pseudoct_research.evaluation import study_command
from pseudoct_research.results import results_table
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.exit_codes import DONE, INCOMPLETE

INPUT, FOREIGN = "is an input", "is not a result of pseudoct"


@pytest.fixture
def workspace(tmp_path, write, hu, models, monkeypatch) -> Path:
    """Current folder with scans, an index, models and files of other programs."""
    monkeypatch.chdir(tmp_path)
    for name in ("ldct.nrrd", "ndct.nrrd"):
        write(Path(name), hu)
    Path("index.csv").write_text("file,patient,split\nndct.nrrd,one,val\nstack.nrrd,,see stack\n")
    Path("stack.csv").write_text("index,patient,split,pixel_mm\n0,two,val,0.7\n")
    write(Path("stack.nrrd"), hu)
    shutil.copytree(models, "models")
    Path("facts.png").write_text("{}")
    Path("notes.csv").write_text("my,notes\n1,2\n")
    Path("photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for name in (
        *("full/study-banding.csv", "full/real-pairs-gains.csv", "full/quality.json"),
        *("full/jobs.json", "full/lesions.json", "full/trials-training.png", "full/steps.png"),
        *("full/stopping.png", "full/figure2.png", "full/phantom_ndct.nrrd"),
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("another program's")
    return tmp_path


PAIR = ["--pair", "ldct.nrrd", "ndct.nrrd", "--models", "models"]
INDEX = ["--index", "index.csv"]
EVALUATE = ["evaluate", *INDEX, "--models", "models"]
PRETRAIN = ["pretrain", "fast", "--ndct", "ndct.nrrd", "--models", "models", "--work", "."]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["compare", *PAIR, "--csv", "ldct.nrrd"], INPUT),
        (["compare", *PAIR, "--csv", "models/PseudoCTDenoise_fast.npz"], INPUT),
        (["compare", *PAIR, "--csv", "notes.csv"], FOREIGN),
        ([*EVALUATE, "--csv", "index.csv"], INPUT),
        ([*EVALUATE, "--csv", "stack.csv"], INPUT),
        ([*EVALUATE, "--csv", "ndct.nrrd"], INPUT),
        ([*EVALUATE, "--csv", "notes.csv"], FOREIGN),
        (["study", "--study", "banding", "--csv", "full"], FOREIGN),
        (["study", "--study", "clean", "--csv", ".", "--plots", "full"], FOREIGN),
        (["real-pairs", "full", "--csv", "full"], INPUT),
        (["check-simulator", "--facts", "facts.png", "--plot", "facts.png"], INPUT),
        (["check-simulator", "--facts", "facts.png", "--plot", "photo.png"], FOREIGN),
        (["quality", "full", "--models", "models"], FOREIGN),
        (["bench", "full", "--part", "jobs", "--device", "cpu"], FOREIGN),
        (["trials", *INDEX, "--csv", "index.csv"], INPUT),
        (["trials", *INDEX, "--csv", "notes.csv"], FOREIGN),
        (["trials", *INDEX, "--csv", "new.csv", "--plots", "full"], FOREIGN),
        (["table1", *INDEX, "--csv", "index.csv"], INPUT),
        (["table1", *INDEX, "--csv", "notes.csv"], FOREIGN),
        (["ablate", *INDEX, "--csv", "ndct.nrrd"], INPUT),
        (["ablate", *INDEX, "--csv", "new.csv", "--plots", "full"], FOREIGN),
        (["figures", "full", *PAIR[:3]], FOREIGN),
        (["phantom", "full", "--small"], FOREIGN),
        ([*PRETRAIN, "--start", "fast"], INPUT),
        ([*PRETRAIN], FOREIGN),
    ],
    ids=" ".join,
)
def test_inputs_and_files_of_others_are_kept(pseudoct, workspace, listing, arguments, said):
    before = listing(workspace)
    ended = pseudoct(*arguments)
    assert ended.code == 2, ended.err
    assert said in ended.err and ended.err.splitlines()[-1].startswith("pseudoct: ")
    assert listing(workspace) == before
    if said is INPUT and arguments[0] != "real-pairs":
        assert INPUT in pseudoct(*arguments, "--overwrite").err
        assert listing(workspace) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", *PAIR, "--csv", "new.csv"],
        [*EVALUATE, "--csv", "new.csv"],
        ["study", *INDEX, "--study", "clean", "--study", "banding", "--csv", "."],
    ],
    ids=" ".join,
)
def test_the_rows_of_an_interrupted_run_are_kept(pseudoct, workspace, listing, arguments):
    for name in ("new.csv.partial", "study-banding.csv.partial"):
        Path(name).write_text("method\nLDCT\n")
    before = listing(workspace)
    ended = pseudoct(*arguments, "--overwrite")
    assert ended.code == 2 and ".csv.partial exists. It may hold" in ended.err
    assert "rename or delete it" in ended.err and listing(workspace) == before


def test_a_page_that_cannot_be_written_costs_a_warning_and_not_the_other_results(
    pseudoct, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = ("banding", "clean")
    rows = {
        "banding": [{"patient": "a", "variant": "LDCT", "banding_hu": 1.0}],
        "clean": [{"scan": "a", "steps": 1, "best_step": 1, "noise_found_hu": 1.0}
                  | {"start_change_hu": 1.0, "change_hu": 1.0}],
    }  # fmt: skip
    for name in names:
        results_table.write_csv(f"study-{name}.csv", rows[name])
    text = "".join(f"<!-- STUDY {name} -->\n<!-- /STUDY {name} -->\n" for name in names)
    Path("page.md").write_text(text)

    def lose_a_block(page, marker, text):
        if marker == "STUDY banding":  # an editor has the page open
            raise PermissionError(13, "Permission denied", page)
        return results_table.replace_block(page, marker, text)

    monkeypatch.setattr(study_command, "replace_block", lose_a_block)
    arguments = ["--study", "banding", "--study", "clean", "--csv", ".", "--page", "page.md"]
    ended = pseudoct("study", *arguments)
    assert ended.code == INCOMPLETE
    assert "Warning: page.md could not be written (PermissionError: " in ended.err
    assert "Banding (HU)" in ended.out and "Estimated noise (HU)" in Path("page.md").read_text()


def test_side_outputs_report_the_failure_and_not_the_cancellation(tmp_path, capsys):
    side_outputs = SideOutputs()
    assert side_outputs.exit_code == DONE
    with pytest.raises(KeyboardInterrupt), side_outputs.writing(tmp_path):
        raise KeyboardInterrupt
    assert side_outputs.exit_code == DONE
    with side_outputs.writing(tmp_path / "page.md"):
        results_table.replace_block(tmp_path / "page.md", "MARK", "text")
    assert side_outputs.exit_code == INCOMPLETE
    assert "complete without this file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_phantom_is_made_again_over_itself(pseudoct, tmp_path, monkeypatch):
    from pseudoct_research.phantom import phantom_command as command
    from pseudoct_research.phantom.phantom_scan import PhantomScan
    from pseudoct_research.phantom.torso import torso_phantom

    small = torso_phantom(2)
    monkeypatch.setattr(command, "torso_phantom", lambda slices: small)
    images = PhantomScan(*(small.hu.astype(np.int16) for _ in PhantomScan.__dataclass_fields__))
    monkeypatch.setattr(command, "scan_phantom", lambda *a, **k: images)
    for _ in range(2):
        assert pseudoct("phantom", tmp_path / "made").code == 0
    lesions = json.loads((tmp_path / "made/lesions.json").read_text("utf-8"))
    assert len(lesions) == len(small.lesions)
