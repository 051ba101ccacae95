"""The manifest keeps every scan with its outcome, for one process at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.cohort.changed_scans import LOST, REPLACED, repeat_changed
from PseudoCTDenoiseLib.cohort.manifest import FILE, CohortManifest
from PseudoCTDenoiseLib.cohort.scan_list import Scan
from PseudoCTDenoiseLib.errors import BadInputError

ABOUT = {"model": "fast", "steps": 2}


def scans(*names):
    return [Scan(name, Path(f"/scans/{number}"), False) for number, name in enumerate(names)]


def test_scans_get_unique_names_and_keep_them(tmp_path):
    manifest = CohortManifest(tmp_path, ABOUT)
    manifest.add(scans("a", "A", "a_2", "a"))
    first = [(scan.name, scan.path) for scan in manifest.pending()]
    assert [name for name, _ in first] == ["a", "A_2", "a_2_2", "a_3"]
    manifest.add([*reversed(scans("a", "A", "a_2", "a")), Scan("a", Path("/new"), True)])
    assert [(scan.name, scan.path) for scan in manifest.pending()][:4] == first
    assert [scan.name for scan in manifest.pending()][4:] == ["a_4"]
    manifest.close()


def test_outcomes_survive_and_failed_scans_wait_for_the_user(tmp_path):
    manifest = CohortManifest(tmp_path, ABOUT)
    manifest.add(scans("a", "b", "c"))
    manifest.record("a", {"exit": 0, "words": ""}, failed=False)
    manifest.record("b", {"exit": 2, "words": "odd"}, failed=True)
    manifest.close()

    manifest = CohortManifest(tmp_path, ABOUT)
    assert [scan.name for scan in manifest.pending()] == ["c"]
    assert manifest.counts() == {"pending": 1, "done": 1, "failed": 1}
    assert list(manifest.outcomes()) == [
        {"name": "a", "input": "/scans/0", "exit": 0, "words": ""},
        {"name": "b", "input": "/scans/1", "exit": 2, "words": "odd"},
    ]
    manifest.retry_failed()
    assert [scan.name for scan in manifest.pending()] == ["b", "c"]
    manifest.close()


def test_a_manifest_of_an_earlier_version_gets_fingerprints_and_repeats_nothing(tmp_path):
    scan = Scan("a", tmp_path / "a.nrrd", False)
    scan.path.write_text("old")
    result = tmp_path / "scans" / "a" / "denoised.nrrd"
    result.parent.mkdir(parents=True)
    result.touch()
    manifest = CohortManifest(tmp_path, ABOUT)
    manifest.add([scan])
    manifest.record("a", {"exit": 0, "words": ""}, failed=False)
    manifest.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute("ALTER TABLE scans DROP COLUMN fingerprint")

    manifest = CohortManifest(tmp_path, ABOUT)
    assert repeat_changed(tmp_path, manifest, lambda scan: result.name) == []
    assert manifest.counts() == {"pending": 0, "done": 1, "failed": 0}
    scan.path.write_text("new scan")
    assert repeat_changed(tmp_path, manifest, lambda scan: result.name) == [f"a: {REPLACED}"]
    assert [scan.name for scan in manifest.pending()] == ["a"] and not result.parent.exists()
    assert repeat_changed(tmp_path, manifest, lambda scan: result.name) == []
    manifest.record("a", {"exit": 0, "words": ""}, failed=False)
    assert repeat_changed(tmp_path, manifest, lambda scan: result.name) == [f"a: {LOST}"]
    assert [scan.name for scan in manifest.pending()] == ["a"]
    manifest.close()


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    manifest = CohortManifest(tmp_path, ABOUT)
    with pytest.raises(BadInputError, match="wait for its end"):
        CohortManifest(tmp_path, ABOUT)
    manifest.close()
    CohortManifest(tmp_path, ABOUT).close()


def test_a_manifest_that_cannot_be_opened_is_reported(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(BadInputError, match="cannot be used .* check that you can write to the"):
        CohortManifest(tmp_path, ABOUT)


def test_other_settings_are_refused_by_name(tmp_path):
    CohortManifest(tmp_path, ABOUT).close()
    with pytest.raises(BadInputError, match="was begun with steps 2, not 3: choose"):
        CohortManifest(tmp_path, ABOUT | {"steps": 3})
    with pytest.raises(BadInputError, match="was begun with steps 2, not None: choose"):
        CohortManifest(tmp_path, {"model": "fast"})


@pytest.mark.parametrize("content", [b"no database" * 100, b""])
def test_another_file_in_its_place_is_kept(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    if content:
        with pytest.raises(BadInputError, match="is not the manifest"):
            CohortManifest(tmp_path, ABOUT)
        assert (tmp_path / FILE).read_bytes() == content
    else:  # a process was killed before it wrote anything
        CohortManifest(tmp_path, ABOUT).close()
