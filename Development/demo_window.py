"""Open the module in the stand-in for Slicer, click Denoise and save screenshots.

    demo_window.py SCAN FOLDER     off screen; writes the screenshots to FOLDER
    demo_window.py SCAN --desktop  opens the same window on the desktop and clicks nothing

SCAN is a file or a DICOM folder that ``pseudoct`` reads. If the display libraries are missing, the
script lists them and ends with exit status 3.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = ROOT / "PseudoCTDenoise" / "PseudoCTDenoise.py"
sys.path.insert(0, str(ROOT / "Testing"))

NO_DISPLAY = 3
DESKTOP = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
"""Environment variables of a desktop; at least one is set where windows can be shown."""
PATIENCE = 3600
"""Longest time to wait for a job, in seconds."""
SIZE = (1500, 790)
"""Width and height of the window in pixels."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo/window"))
    parser.add_argument("--desktop", action="store_true", help="open the window, click nothing")
    arguments = parser.parse_args()

    from SlicerHarness.requirements import missingRequirement

    reason = missingRequirement()
    if arguments.desktop and sys.platform == "linux" and not DESKTOP & set(os.environ):
        reason = "no desktop is running. Run `make demo`, which writes screenshots"
    if reason is not None:
        print(f"The window cannot be shown: {reason}.", file=sys.stderr)
        return NO_DISPLAY
    from SlicerHarness.boot import boot

    harness = boot(desktop=arguments.desktop)
    volume = load_scan(arguments.scan)
    if arguments.desktop:
        harness.load(MODULE)
        return harness.run()
    harness.mainWindow.resize(*SIZE)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    take_pictures(harness, volume, arguments.folder)
    return 0


def load_scan(path: Path):
    """Load the scan as a volume node and show it in the red view at the soft-tissue window."""
    import slicer
    from PseudoCTDenoiseLib.ct.io.volume_files import read_volume, to_image
    from PseudoCTDenoiseLib.scene.window_presets import setWindow
    from SlicerHarness.sitk_volumes import addVolume

    scan = read_volume(path)
    node = addVolume(to_image(scan.hu, scan), scan.name)
    setWindow([node], "Soft tissue")
    slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node


def take_pictures(harness, volume, folder: Path) -> None:
    """Save a PNG of each step, from the open panel to the measured result."""
    import slicer
    from SlicerHarness import user

    def picture(name: str, widget=None) -> None:
        harness.grab(folder / f"{name}.png", widget)
        print(f"  {folder / name}.png")

    widget = harness.load(MODULE)
    ui = widget.ui
    user.waitUntil(lambda: ui.checkDeviceButton.enabled, PATIENCE, "the device check")
    print(f"  {ui.deviceLabel.text.splitlines()[0]}; {ui.timeLabel.text}")
    picture("1_before")

    user.click(ui.applyButton)
    user.waitUntil(
        lambda: (
            (widget.logic.comparison.shown and widget.ui.statusLabel.text.startswith("Tuning"))
            or not widget.runPanel.running
        ),
        PATIENCE,
        "a preview while tuning",
    )
    picture("2_running")
    user.waitUntil(lambda: not widget.runPanel.running, PATIENCE, "the result")
    print(f"  {ui.statusLabel.text}")
    output = ui.outputSelector.currentNode()
    if output is None:
        raise SystemExit(ui.statusLabel.text)
    picture("3_after")

    user.choose(ui.thirdViewComboBox, "Difference")
    picture("4_difference")
    user.choose(ui.orientationComboBox, "Coronal")
    picture("5_coronal")
    user.choose(ui.orientationComboBox, "Axial")
    user.choose(ui.plotComboBox, "Noise power spectrum")
    user.click(ui.plotsAndTablesButton)
    picture("6_plots_and_tables")

    ui.denoisingCollapsibleButton.collapsed = True
    user.click(ui.measureCollapsibleButton)
    # In the phantom these are the liver and the fluid in the stomach.
    for selector, name, position in (
        ("region", "Region", (75, 0)),
        ("background", "Background", (-62, 22)),
    ):
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
        roi.SetCenter(*middle_of(volume, *position))
        roi.SetSize(30, 30, 10)
        roi.CreateDefaultDisplayNodes()
        roi.GetDisplayNode().SetHandlesInteractive(False)
        user.choose(getattr(ui, f"{selector}Selector"), roi)
    user.click(ui.measureButton)
    picture("7_measure")

    user.click(ui.restoreLayoutButton)
    for name in ("denoising", "advanced", "log"):
        getattr(ui, f"{name}CollapsibleButton").collapsed = False
    harness.mainWindow.resize(SIZE[0], 1500)
    harness.processEvents()
    picture("8_panel", widget.parent)


def middle_of(volume, right: float = 0.0, anterior: float = 0.0) -> list[float]:
    """Return the centre of a volume in RAS, shifted by ``right`` and ``anterior`` in mm."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    r, a, s = ((bounds[2 * axis] + bounds[2 * axis + 1]) / 2 for axis in range(3))
    return [r + right, a + anterior, s]


if __name__ == "__main__":
    sys.exit(main())
