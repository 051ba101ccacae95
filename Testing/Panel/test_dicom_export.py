"""Results of a scan from the module DICOM are exported as series derived from its files."""

from __future__ import annotations

import errno
import functools
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_factory import HEIGHTS, enhanced_ct, write, write_slices
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume, to_image
from PseudoCTDenoiseLib.scene import provenance
from pydicom import dcmread

from .conftest import voxels

PLUGIN = Path(__file__).parents[2] / "PseudoCTDenoise" / "DICOMPseudoCTDenoisePlugin.py"


@pytest.fixture
def database(slicerApp: Any) -> Any:
    """The state of the DICOM module's stand-in, with our plugin loaded."""
    import slicer
    from SlicerHarness.dicom import state

    slicerApp.load(PLUGIN, show=False)
    state.reset()
    yield state
    state.reset()
    del slicer.modules.dicomPlugins
    slicerApp.unload(PLUGIN.stem)


def imported(database: Any, folder: Path, reverse: bool = False) -> Any:
    """Return a volume as the module DICOM loads it: in a study, with the UIDs of its files."""
    import slicer
    from SlicerHarness.sitk_volumes import addVolume

    scan = read_volume(folder)
    uids = [part.frame.text("SOPInstanceUID") for part in scan.dicom_slices]
    image = to_image(scan.hu, scan)
    if reverse:
        image, uids = image[:, :, ::-1], uids[::-1]
    node = addVolume(image, "Thorax")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(dict.fromkeys(uids)))
    database.files.update(
        {part.frame.text("SOPInstanceUID"): str(part.frame.path) for part in scan.dicom_slices}
    )
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    hierarchy.CreateItem(study, node)  # Slicer makes items without being asked
    return node


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("multiFrame", [False, True])
def test_the_button_exports_the_result_through_slicers_dialog(
    panel, makeResult, database, tmp_path, reverse, multiFrame
):
    import slicer

    if multiFrame:
        write(enhanced_ct(), tmp_path / "scan" / "ct.dcm")
    else:
        write_slices(tmp_path / "scan")
    result = makeResult(imported(database, tmp_path / "scan", reverse))
    assert panel.ui.exportDicomButton.enabled
    (tmp_path / "out").mkdir()
    database.folder = str(tmp_path / "out")
    panel.ui.exportDicomButton.click()
    assert database.errors == []
    shown = slicer.util.arrayFromVolume(result)
    written = read_volume(tmp_path / "out")
    assert np.array_equal(written.hu, shown[::-1] if reverse else shown)
    assert written.origin == read_volume(tmp_path / "scan").origin
    files = sorted((tmp_path / "out").iterdir())
    header = dcmread(files[0])
    # In no folder of their own, because Slicer removes only files from its temporary folder.
    uid = header.SeriesInstanceUID
    assert [file.name for file in files] == [f"{uid}_{n:04}.dcm" for n in range(1, len(shown) + 1)]
    assert header.PatientName == "Phantom^Torso" and header.SeriesDescription == "Thorax denoised"
    assert "model fast" in header.DerivationDescription


def test_a_second_export_is_another_series_in_the_same_study(panel, makeResult, database, tmp_path):
    makeResult(imported(database, write_slices(tmp_path / "scan")))
    (tmp_path / "out").mkdir()
    database.folder = str(tmp_path / "out")
    for _ in range(2):
        panel.ui.exportDicomButton.click()
    headers = [dcmread(file) for file in (tmp_path / "out").glob("*_0001.dcm")]
    assert len({header.SeriesInstanceUID for header in headers}) == 2
    assert len({header.StudyInstanceUID for header in headers}) == 1


def test_the_noise_map_is_a_series_of_its_own(panel, makeResult, database, tmp_path):
    import slicer
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    noise = result.GetNodeReference(provenance.NOISE_MAP)
    image = dcmread(exportVolume(noise, tmp_path)[2])
    assert np.array_equal(image.pixel_array, slicer.util.arrayFromVolume(noise)[2])
    assert image.SeriesDescription == "Thorax noise map" and image.ImageType[3] == "NOISE_MAP"
    assert "strength" not in image.DerivationDescription


def test_the_removed_noise_is_that_of_full_strength(panel, makeResult, database, tmp_path):
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    panel.logic.applyStrength(result, 30)
    removed = result.GetNodeReference(provenance.REMOVED_NOISE)
    notes = [
        dcmread(exportVolume(node, tmp_path)[0]).DerivationDescription for node in (result, removed)
    ]
    assert "strength 30 %" in notes[0] and "strength 100 %" in notes[1]


def test_the_removed_noise_is_a_difference(panel, makeResult, database, tmp_path):
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    removed = result.GetNodeReference(provenance.REMOVED_NOISE)
    image = dcmread(exportVolume(removed, tmp_path)[0])
    assert [code.CodeMeaning for code in image.DerivationCodeSequence] == [
        "Pixel by pixel subtraction"
    ]


def test_a_correction_by_neighbours_in_an_earlier_version_is_named(
    panel, makeResult, database, tmp_path
):
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    result.SetAttribute(provenance.SLICES_WITH_NEIGHBOURS, "4")
    note, of_noise = (
        dcmread(exportVolume(node, tmp_path)[0]).DerivationDescription
        for node in (result, result.GetNodeReference(provenance.NOISE_MAP))
    )
    assert "model fast, corrected by neighbouring slices, strength" in note
    assert "neighbouring" not in of_noise


def test_partly_denoised_scans_say_so(panel, makeResult, database, tmp_path):
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    note = dcmread(exportVolume(result, tmp_path)[0]).DerivationDescription
    assert "Only slices" not in note
    result.SetAttribute(provenance.SLICES, "1-2")
    note = dcmread(exportVolume(result, tmp_path)[0]).DerivationDescription
    assert "Only slices 2 to 3 are denoised." in note


def test_other_volumes_are_left_to_other_plugins(panel, makeResult, database, phantom, tmp_path):
    import slicer

    plugin = slicer.modules.dicomPlugins[PLUGIN.stem]()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    original = imported(database, write_slices(tmp_path / "scan"))
    result = makeResult(phantom)
    items = [hierarchy.CreateItem(hierarchy.GetSceneItemID(), n) for n in (phantom, result)]
    for item in (hierarchy.GetItemByDataNode(original), *items):
        assert plugin.examineForExport(item) == []
    assert not panel.ui.exportDicomButton.enabled
    (offer,) = plugin.examineForExport(hierarchy.GetItemByDataNode(makeResult(original)))
    assert offer.confidence > 0.5 and offer.pluginClass == PLUGIN.stem


def test_a_hidden_volume_is_not_exported_with_its_study(panel, makeResult, database, tmp_path):
    import slicer

    plugin = slicer.modules.dicomPlugins[PLUGIN.stem]()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    removed = result.GetNodeReference(provenance.REMOVED_NOISE)
    study = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result))
    item = hierarchy.CreateItem(study, removed)  # in a scene of an earlier version
    assert plugin.examineForExport(item) == []
    removed.SetHideFromEditors(False)
    assert len(plugin.examineForExport(item)) == 1


@pytest.fixture
def refused(panel, makeResult, database, tmp_path):
    """A function that changes an imported scan after its result, and returns the message."""

    def refused(change) -> str:
        (tmp_path / "out").mkdir()
        database.folder = str(tmp_path / "out")
        original = imported(database, write_slices(tmp_path / "scan"))
        change(original, makeResult(original))
        panel.ui.exportDicomButton.click()
        assert list((tmp_path / "out").iterdir()) == []
        (error,) = database.errors
        return error

    return refused


def test_files_that_have_gone(refused, tmp_path):
    said = refused(lambda original, result: shutil.rmtree(tmp_path / "scan"))
    assert "no longer in Slicer's DICOM database" in said


def test_a_closed_database(refused, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "dicomDatabase", None)
    assert "no longer in Slicer's DICOM database" in refused(lambda *nodes: None)


def test_an_input_that_was_changed(refused):
    import slicer

    def change(original, result):
        slicer.util.arrayFromVolume(original)[2, 10, 10] += 5

    assert "differs from its DICOM files" in refused(change)


@pytest.mark.slow
def test_a_refused_export_says_why_after_a_reload_of_the_module(
    panel, makeResult, database, slicerApp, tmp_path
):
    makeResult(imported(database, write_slices(tmp_path / "scan")))
    next((tmp_path / "scan").iterdir()).write_bytes(b"")
    slicerApp.reload("PseudoCTDenoise").ui.exportDicomButton.click()
    (error,) = database.errors
    assert "cannot be read" in error


def test_a_result_of_another_size(refused):
    import slicer

    def crop(original, result):
        slicer.util.updateVolumeFromArray(result, slicer.util.arrayFromVolume(result)[1:].copy())

    assert "no longer has the size of its input" in refused(crop)


def test_a_result_that_another_module_has_changed(refused):
    def paint(original, result):
        voxels(result)[1, 10, 10] += 500

    assert "Thorax denoised was changed since it was made" in refused(paint)


def test_an_input_that_is_not_the_denoised_one(refused):
    """The scan was changed before the job, and the volume was loaded again after it."""

    def load(original, result):
        result.SetAttribute(provenance.INPUT_CRC32, "0")

    assert "Thorax was changed since Thorax denoised was made" in refused(load)


def test_a_noise_map_that_another_module_has_changed(panel, makeResult, database, tmp_path):
    from PseudoCTDenoiseLib.errors import BadInputError
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    noise = result.GetNodeReference(provenance.NOISE_MAP)
    voxels(noise)[1, 10, 10] += 500
    with pytest.raises(BadInputError, match="Thorax noise was changed since it was made"):
        exportVolume(noise, tmp_path)


def test_a_folder_that_cannot_be_written_to(refused, database, tmp_path):
    def remove(original, result):
        database.folder = str(tmp_path / "missing")

    assert "could not be written" in refused(remove)


def test_a_disk_that_fills_up_during_the_export_leaves_no_file(refused, monkeypatch):
    from PseudoCTDenoiseLib.scene import dicom_export

    replace = os.replace

    def fill(source, target):
        if str(target).endswith("_0003.dcm"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(dicom_export.os, "replace", fill)
    assert "could not be written" in refused(lambda *nodes: None)


def test_a_file_of_another_export_is_not_replaced(
    panel, makeResult, database, tmp_path, monkeypatch
):
    from PseudoCTDenoiseLib.ct.io import dicom_derivation
    from PseudoCTDenoiseLib.errors import BadInputError
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    result = makeResult(imported(database, write_slices(tmp_path / "scan")))
    series = functools.partial(dicom_derivation.DerivedSeries, uid="1.2.3")
    monkeypatch.setattr(dicom_derivation, "DerivedSeries", series)
    (tmp_path / "out").mkdir()
    other = tmp_path / "out" / "1.2.3_0002.dcm"
    other.write_bytes(b"another")
    with pytest.raises(BadInputError, match="exists"):
        exportVolume(result, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == [other] and other.read_bytes() == b"another"


def test_files_without_uids(refused):
    def change(original, result):
        for path in database_files(original):
            image = dcmread(path)
            image.StudyInstanceUID = ""
            image.save_as(path)

    assert "has no Study Instance UID" in refused(change)


def database_files(original) -> list[str]:
    import slicer

    uids = original.GetAttribute("DICOM.instanceUIDs").split()
    return [slicer.dicomDatabase.fileForInstance(uid) for uid in uids]


def test_uneven_distances_are_those_of_the_files(panel, makeResult, database, tmp_path):
    from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

    original = imported(database, write_slices(tmp_path / "scan"))
    heights = [*HEIGHTS[:3], 9.0]
    for path, height in zip(database_files(original), heights, strict=True):
        image = dcmread(path)
        image.ImagePositionPatient[2] = height
        image.save_as(path)
    files = exportVolume(makeResult(original), tmp_path)
    positions = [dcmread(path).ImagePositionPatient[2] for path in files]
    assert positions == heights
