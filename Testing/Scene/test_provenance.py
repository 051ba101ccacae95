"""A result records how it was made, for people and programs, and in saved scenes."""

from __future__ import annotations

import pytest
from example_report import REPORT

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import provenance  # noqa: E402
from PseudoCTDenoiseLib.scene.provenance import (  # noqa: E402
    isDerived,
    isResult,
    provenanceOf,
    recordProvenance,
    recordStrength,
)


@pytest.fixture
def output(scene):
    return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan denoised")


def cells(table) -> dict[str, tuple[str, str]]:
    """Return the table as a dict: What → (value, unit)."""
    rows = range(table.GetNumberOfRows())
    return {
        table.GetCellText(r, 0): (table.GetCellText(r, 1), table.GetCellText(r, 2)) for r in rows
    }


def test_attributes_hold_everything_to_reproduce_the_result(output):
    recordProvenance(output, REPORT, 80, (3, 14))
    assert provenanceOf(output) == {
        "Notice": REPORT["notice"],
        "Version": "0.1.0",
        "Model": "fast",
        "ModelSha256": "a" * 64,
        "Seed": 7,
        "Device": REPORT["device"]["description"],
        "Seconds": 1.505,
        "Settings": REPORT["settings"],
        "Strength": 80.0,
        "Slices": (3, 14),
        "Warnings": [],
        "Machine": {"versions": REPORT["versions"], "device": REPORT["device"]},
        "RemovedNoiseCheck": REPORT["removed_noise"],
    }


def test_a_warning_is_one_row_of_the_table(output):
    table = recordProvenance(output, {**REPORT, "warnings": ["Odd scan."]}, 80, (3, 14))
    rows = [table.GetCellText(row, 0) for row in range(table.GetNumberOfRows())]
    assert rows.count("Warning") == 1


def test_a_result_is_known_as_derived(scene, output):
    assert not isDerived(output) and not isDerived(None)
    recordProvenance(output, REPORT, 100, (0, 11))
    assert isDerived(output)
    assert provenanceOf(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")) == {}


def test_a_noise_map_is_derived_but_is_not_a_result(scene, output):
    recordProvenance(output, REPORT, 100, (0, 11))
    noise = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan noise")
    noise.SetAttribute(provenance.DERIVED, "1")
    assert isResult(output)
    assert isDerived(noise) and not isResult(noise)


def test_provenance_survives_a_saved_scene(scene, output):
    recordProvenance(output, REPORT, 100, (0, 11))
    scene.SetSaveToXMLString(1)
    scene.Commit()
    scene.SetSaveToXMLString(0)  # other tests save this scene to files
    loaded = slicer.vtkMRMLScene()
    loaded.SetLoadFromXMLString(1)
    loaded.SetSceneXMLString(scene.GetSceneXMLString())
    loaded.Import()
    again = loaded.GetFirstNodeByName("scan denoised")
    assert isDerived(again) and provenanceOf(again) == provenanceOf(output)
    assert again.GetNodeReference(provenance.PROVENANCE).GetName() == "scan denoised provenance"


def test_the_table_is_for_people_with_units(scene, output):
    source = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    output.SetNodeReferenceID(provenance.INPUT, source.GetID())
    table = recordProvenance(output, REPORT, 80, (3, 14))
    assert [table.GetColumnName(column) for column in range(3)] == ["What", "Value", "Unit"]
    told = cells(table)
    assert told["Input"] == ("scan", "")
    assert told["Strength shown"] == ("80", "%")
    assert told["Slices denoised"] == ("4 to 15", "counted from 1")
    assert told["Mean absolute change at full strength"] == ("12.35", "HU")
    assert told["Noise removed at full strength"] == ("75.0", "%")
    assert told["Low frequencies in the removed noise"] == ("42", "%")
    assert told["Last tuning loss"] == ("20.5", "HU²")
    assert told["Time of tuning"] == ("1.2", "s")
    assert told["Peak memory, process"] == ("800", "MiB")
    assert told["Noise model noise-1, SHA-256"] == ("b" * 64, "")
    assert told["Version of torch"] == ("2.13.0", "")
    assert told["Setting update_period"] == ("null", "updates")
    assert told["Setting rescale"] == ("[0.5, 2.0]", "")
    assert "Setting strength" not in told
    assert table.GetLocked()


def test_the_table_survives_a_file(scene, output, tmp_path):
    table = recordProvenance(output, REPORT, 100, (0, 11))
    table.AddDefaultStorageNode()
    file = str(tmp_path / "provenance.tsv")
    table.GetStorageNode().SetFileName(file)
    assert table.GetStorageNode().WriteData(table)
    again = scene.AddNewNodeByClass("vtkMRMLTableNode")
    again.AddDefaultStorageNode()
    again.GetStorageNode().SetFileName(file)
    assert again.GetStorageNode().ReadData(again)
    assert cells(again) == cells(table)


def test_a_second_run_fills_the_same_table(scene, output):
    first = recordProvenance(output, REPORT, 100, (0, 11))
    rows = first.GetNumberOfRows()
    output.SetName("renamed")
    second = recordProvenance(output, {**REPORT, "model": {"name": "b", "sha256": "c"}}, 50, (0, 1))
    assert second is first and scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert second.GetName() == "renamed provenance" and second.GetNumberOfRows() == rows
    assert cells(second)["Model"] == ("b", "")
    assert output.GetNumberOfNodeReferences(provenance.PROVENANCE) == 1


def test_a_deleted_table_is_made_again(scene, output):
    scene.RemoveNode(recordProvenance(output, REPORT, 100, (0, 11)))
    table = recordProvenance(output, REPORT, 100, (0, 11))
    assert output.GetNodeReference(provenance.PROVENANCE) is table


def test_another_strength_is_recorded_everywhere(scene, output):
    table = recordProvenance(output, REPORT, 100, (0, 11))
    recordStrength(output, 62.5)
    assert provenanceOf(output)["Strength"] == 62.5
    assert cells(table)["Strength shown"] == ("62.5", "%")
    scene.RemoveNode(table)
    recordStrength(output, 30)
    assert provenanceOf(output)["Strength"] == 30.0


def test_metrics_that_a_report_does_not_have_are_left_out(output):
    table = recordProvenance(output, {**REPORT, "noise": None, "tuning_loss": []}, 100, (0, 11))
    assert "Noise removed at full strength" not in cells(table)
    assert "Last tuning loss" not in cells(table)
    noise = {**REPORT["noise"], "removed_low_frequency_percent": None}
    check = {**REPORT["removed_noise"], "edge_correlation": None}
    recordProvenance(output, {**REPORT, "noise": noise, "removed_noise": check}, 100, (0, 11))
    assert "Low frequencies in the removed noise" not in cells(table)
    assert "Removed noise, correlation with edges" not in cells(table)


def test_a_broken_report_leaves_the_scene_as_it_was(scene, output):
    count = scene.GetNumberOfNodes()
    with pytest.raises(KeyError):
        recordProvenance(output, {**REPORT, "device": {"description": "CPU"}}, 100, (0, 11))
    assert scene.GetNumberOfNodes() == count and not isDerived(output)


def test_attributes_that_somebody_broke_are_left_out(output):
    recordProvenance(output, REPORT, 100, (0, 11))
    output.SetAttribute(provenance.SETTINGS, "{")
    output.SetAttribute(provenance.SLICES, "all")
    output.SetAttribute(provenance.SEED, "")
    assert {"Settings", "Slices", "Seed"}.isdisjoint(provenanceOf(output))
    assert provenanceOf(output)["Strength"] == 100.0
