"""The variable SLICER_SOURCE runs Slicer's own Python files in place of the stand-ins."""

import importlib.util
import os
import subprocess
import sys
import unittest
from pathlib import Path

import pytest
from SlicerHarness.slicer_source import FILES, PACKAGE, VARIABLE, slicerSource

withCheckout = pytest.mark.skipif(slicerSource() is None, reason=f"{VARIABLE} is not set")


@pytest.fixture
def checkout(tmp_path):
    """A folder with the files that a checkout of Slicer has. They name themselves."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(f"origin = {str(file)!r}\n")
    description = (
        "class SampleData:\n    def __init__(self, parent):\n        parent.title = origin\n"
    )
    with (tmp_path / FILES[-1]).open("a") as sampleData:
        sampleData.write(description)
    return tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_there_is_no_checkout(monkeypatch, value):
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert slicerSource() is None


@pytest.mark.parametrize("missing", FILES)
def test_folder_that_is_no_checkout_is_refused_with_the_missing_file(
    monkeypatch, checkout, missing
):
    monkeypatch.setenv(VARIABLE, str(checkout))
    assert slicerSource() == checkout
    (checkout / missing).unlink()
    with pytest.raises(FileNotFoundError) as refused:
        slicerSource()
    assert f"{checkout} is not a checkout of Slicer: {missing} is missing" in str(refused.value)
    assert f"Set {VARIABLE}" in str(refused.value)


@pytest.mark.slow
def test_modules_come_from_the_checkout(slicerApp, checkout, repository):
    """Boot in another process, because this one has its modules already."""
    code = """
from SlicerHarness.boot import boot
boot()
import SampleData, slicer
from slicer import ScriptedLoadableModule, i18n, parameterNodeWrapper, util
assert slicer.modules.sampledata.title == SampleData.origin
print(util.origin, i18n.origin, ScriptedLoadableModule.origin, parameterNodeWrapper.origin,
      SampleData.origin, sep="\\n")
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository / "Testing",
        env=os.environ | {VARIABLE: str(checkout)},
        capture_output=True,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [str(file) for file in FILES]


@withCheckout
def test_this_run_uses_the_files_of_its_checkout(slicer):
    import SampleData
    from slicer import ScriptedLoadableModule, i18n, parameterNodeWrapper, util

    used = (util, i18n, ScriptedLoadableModule, parameterNodeWrapper, SampleData)
    assert [Path(m.__file__) for m in used] == [slicerSource() / file for file in FILES]


@withCheckout
@pytest.mark.parametrize(
    "name",
    [
        "parameter_node_wrapper",
        "parameter_node_wrapper_guis",
        "parameter_pack",
        "util_VTKObservationMixin",
        "util_chdir",
        "util_childWidgetVariables",
        "util_getNodes",
    ],
)
def test_slicer_s_own_tests_pass(slicer, monkeypatch, name):
    """Widgets that the harness lacks end a test with NotEmulated, which is not a failure."""
    path = slicerSource() / PACKAGE / "tests" / f"test_slicer_{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    tests = unittest.defaultTestLoader.loadTestsFromModule(module)
    ended = unittest.TextTestRunner().run(tests)
    errors = [text for _, text in ended.errors if "NotEmulated" not in text]
    assert ended.failures == errors == []
    assert ended.testsRun > len(ended.errors)


@withCheckout
def test_reload_button_of_developer_mode(loadModule, examplePath, qt, slicer, slicerApp, user):
    qt.QSettings().setValue("Developer/DeveloperMode", True)
    try:
        example = loadModule(examplePath)
        user.click(example.reloadButton)
        again = slicerApp.widget("HarnessExample")
    finally:
        qt.QSettings().remove("Developer/DeveloperMode")
    assert again is not example
    calls = sys.modules["HarnessExample"].calls
    user.click(again.ui.applyButton)
    assert calls[-1] == "apply"
