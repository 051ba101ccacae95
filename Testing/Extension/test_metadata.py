"""The files that describe the extension agree, and follow the rules of the extensions index."""

from __future__ import annotations

import ast
import json
import re
import struct
import sys
from pathlib import Path

import pytest
from PseudoCTDenoiseLib import __version__

DESCRIPTION_FILES = ["CMakeLists.txt", "PseudoCTDenoise.s4ext", "PseudoCTDenoise.json"]
TEXTS = {".cff", ".json", ".md", ".s4ext", ".toml", ".txt"}
OUR_ADDRESS = re.compile(
    r"https://(github|raw\.githubusercontent)\.com/"
    r"(?P<repository>[\w.-]+/[\w-]*PseudoCTDenoise[\w-]*)"
)


@pytest.fixture(scope="module")
def cmake(repository: Path) -> dict[str, str]:
    """The EXTENSION_… fields of CMakeLists.txt, each on one line, as the index reads them."""
    text = (repository / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]*)"\)$', text, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def s4ext(repository: Path) -> dict[str, str]:
    lines = (repository / "PseudoCTDenoise.s4ext").read_text(encoding="utf-8").splitlines()
    entries = [line.split(maxsplit=1) for line in lines if line.strip() and line[0] != "#"]
    return {keyword: value for keyword, value in entries}


@pytest.fixture(scope="module")
def catalogue_entry(repository: Path) -> dict:
    return json.loads((repository / "PseudoCTDenoise.json").read_text(encoding="utf-8"))


def in_repository(url: str, homepage: str) -> str:
    """Return the path in the repository of a raw.githubusercontent.com address."""
    prefix = homepage.replace("github.com", "raw.githubusercontent.com") + "/main/"
    assert url.startswith(prefix)
    return url.removeprefix(prefix)


def test_every_field_is_on_one_line_of_cmake(cmake: dict[str, str]):
    assert set(cmake) == {
        "HOMEPAGE",
        "CONTRIBUTORS",
        "DESCRIPTION",
        "ICONURL",
        "SCREENSHOTURLS",
        "DEPENDS",
        "LICENSE_FILE",
        "README_FILE",
    }
    assert "" not in cmake.values()


def test_the_repository_has_one_address_in_every_file(repository: Path, cmake: dict[str, str]):
    homepage = cmake["HOMEPAGE"].removeprefix("https://github.com/")
    texts = [
        *(path for path in repository.glob("*.*") if path.suffix in TEXTS),
        *(repository / "Docs").rglob("*.md"),
        *(repository / "PseudoCTDenoise").rglob("*.py"),
    ]
    others = {
        f"{path.relative_to(repository)}: {match[0]}"
        for path in texts
        if path.is_file()
        for match in OUR_ADDRESS.finditer(path.read_text(encoding="utf-8"))
        if match["repository"] != homepage
    }
    assert not others, f"CMakeLists.txt names {homepage}. Change these addresses."


def test_catalogue_entry_agrees_with_cmake(cmake: dict[str, str], catalogue_entry: dict):
    assert catalogue_entry["scm_url"] == cmake["HOMEPAGE"]
    assert catalogue_entry["build_dependencies"] == cmake["DEPENDS"].split()


def test_catalogue_entry_has_the_fields_that_the_build_reads(catalogue_entry: dict):
    """Slicer's build fails without scm_revision, which the schema calls optional."""
    assert catalogue_entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert set(catalogue_entry) == {
        *("$schema", "build_dependencies", "category", "scm_revision", "scm_url")
    }
    assert catalogue_entry["category"] == "Filtering"


def test_s4ext_agrees_with_cmake_and_the_catalogue_entry(
    cmake: dict[str, str], s4ext: dict[str, str], catalogue_entry: dict
):
    assert s4ext["scmurl"] == s4ext["homepage"] == cmake["HOMEPAGE"]
    assert s4ext["depends"] == cmake["DEPENDS"]
    for field in ["contributors", "description", "iconurl", "screenshoturls"]:
        assert s4ext[field] == cmake[field.upper()]
    assert s4ext["category"] == catalogue_entry["category"]
    assert s4ext["scmrevision"] == catalogue_entry["scm_revision"]
    assert s4ext["build_subdirectory"] == "."


def test_every_file_has_the_same_contributors(repository: Path, cmake: dict[str, str]):
    fields = {
        "pyproject.toml": r'authors = \[\{ name = "(.+)" \}\]',
        "Research/pyproject.toml": r'authors = \[\{ name = "(.+)" \}\]',
        "CITATION.cff": r'- name: "(.+)"',
        "PseudoCTDenoise/PseudoCTDenoise.py": r'contributors = \["(.+)"\]',
    }
    for file, pattern in fields.items():
        text = (repository / file).read_text(encoding="utf-8")
        assert re.findall(pattern, text) == [cmake["CONTRIBUTORS"]], file


def test_the_name_of_the_repository_is_one_that_the_index_accepts(cmake: dict[str, str]):
    assert cmake["HOMEPAGE"].rpartition("/")[2].startswith("Slicer")


def test_the_icon_is_a_png_of_128_by_128_with_transparency(repository: Path, cmake: dict[str, str]):
    icon = (repository / in_repository(cmake["ICONURL"], cmake["HOMEPAGE"])).read_bytes()
    assert icon[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour_type = struct.unpack(">IIBB", icon[16:26])
    assert (width, height, depth, colour_type) == (128, 128, 8, 6)


def test_every_screenshot_is_in_the_repository(repository: Path, cmake: dict[str, str]):
    urls = cmake["SCREENSHOTURLS"].split()
    paths = [repository / in_repository(url, cmake["HOMEPAGE"]) for url in urls]
    assert paths
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in paths)


def test_the_citation_names_this_version_and_the_paper(repository: Path):
    citation = (repository / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert "10.48550/arXiv.2104.02326" in citation


@pytest.mark.parametrize("name", DESCRIPTION_FILES)
def test_lines_end_with_a_line_feed_only(repository: Path, name: str):
    assert b"\r" not in (repository / name).read_bytes()


def test_the_python_of_an_older_slicer_gets_a_message(repository: Path, monkeypatch):
    source = (repository / "PseudoCTDenoise" / "PseudoCTDenoise.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 9))
    monkeypatch.setattr(sys, "version_info", (3, 9, 10))
    with pytest.raises(ImportError, match=r"needs Slicer 5\.12 or newer"):
        exec(compile(source, "PseudoCTDenoise.py", "exec"), {"__name__": "PseudoCTDenoise"})
