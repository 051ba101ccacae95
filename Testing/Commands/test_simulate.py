"""`pseudoct simulate` makes a twin that fits its scan, and says how real its noise is."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.commands import simulate as command
from PseudoCTDenoiseLib.commands.main import BAD_INPUT, DONE, main
from PseudoCTDenoiseLib.engine.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.engine.simulation.reconstruction_kernels import SOFT
from PseudoCTDenoiseLib.engine.simulation.simulator_check import SimulatedNoise

PIXEL_MM = 3.0


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Two noisy slices of a water-like disc, with a geometry that must survive."""
    across = (np.arange(128) - 63.5) * PIXEL_MM
    disc = np.where(np.hypot(across, across[:, None]) < 150, 60.0, -1000.0).astype(np.float32)
    clean = np.stack([disc, disc])
    scanner = LowDoseSimulator(PIXEL_MM, 2e5)
    image = sitk.GetImageFromArray(
        simulate_low_dose(clean, scanner, 1.0, SOFT, image_dose=math.inf, seed=9)
    )
    image.SetSpacing((PIXEL_MM, PIXEL_MM, 2.5))
    image.SetOrigin((-190.0, -180.0, 40.0))
    path = tmp_path_factory.mktemp("simulate") / "ndct.nrrd"
    sitk.WriteImage(image, path)
    return path


def arrays(*paths):
    return [sitk.GetArrayFromImage(sitk.ReadImage(path)).astype(float) for path in paths]


def test_twin_has_twice_the_noise_and_the_scans_geometry(scan, tmp_path, capsys):
    output = tmp_path / "ldct.nrrd"
    assert main(["simulate", str(scan), str(output), "--device", "cpu"]) == DONE
    before, after = (sitk.ReadImage(path) for path in (scan, output))
    for get in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        assert getattr(before, get)() == getattr(after, get)()
    ndct, ldct = arrays(scan, output)
    middle = np.s_[:, 40:88, 40:88]
    assert ldct[middle].std() / ndct[middle].std() == pytest.approx(2, rel=0.1)
    said = capsys.readouterr().out
    for words in ("N0 = ", "HU at 0.25 of it", "dB", str(output)):
        assert words in said


def test_seed_and_dose_are_heard(scan, tmp_path):
    def twin(name, *options):
        output = tmp_path / f"{name}.nrrd"
        assert main(["simulate", str(scan), str(output), "--device", "cpu", *options]) == DONE
        return arrays(output)[0]

    first = twin("first", "--dose", "0.5")
    np.testing.assert_array_equal(first, twin("again", "--dose", "0.5"))
    assert (first != twin("other", "--dose", "0.5", "--seed", "1")).any()
    np.testing.assert_array_equal(twin("full", "--dose", "1"), arrays(scan)[0])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "or --check"),
        (["SCAN"], "or --check"),
        (["SCAN", "OUT.xyz"], "suffix"),
        (["SCAN", "missing/out.nrrd"], "no folder"),
        (["SCAN", "OUT.nrrd", "--dose", "0"], "--dose 0"),
        (["SCAN", "OUT.nrrd", "--plot", "a.png"], "belong to --check"),
        (["missing.nrrd", "OUT.nrrd"], "no file"),
        (["SCAN", "--check"], "leave the scan out"),
        (["--check", "--plot", "a.jpg"], ".png"),
        (["--check", "--facts", "missing.json"], "missing.json"),
    ],
)
def test_faults_are_named_before_anything_is_computed(
    scan, tmp_path, monkeypatch, capsys, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(command, "simulated_noise")
    given = [a.replace("SCAN", str(scan)).replace("OUT", str(tmp_path / "out")) for a in arguments]
    assert main(["simulate", *given]) == BAD_INPUT
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_are_not_square_are_refused(scan, tmp_path, capsys):
    image = sitk.ReadImage(scan)
    image.SetSpacing((3.0, 2.0, 2.5))
    sitk.WriteImage(image, tmp_path / "flat.nrrd")
    assert main(["simulate", str(tmp_path / "flat.nrrd"), str(tmp_path / "out.nrrd")]) == BAD_INPUT
    assert "3 x 2 mm" in capsys.readouterr().err


# --------------------------------------------------------------- --check


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """In place of the measurement, which takes seconds; its own tests are the engine's."""
    frequency = np.arange(0.125, 8, 0.25)
    spectrum = np.full(32, 1 / 32)

    def draw(*, progress, **_):
        progress(1, 1)
        return {
            name: SimulatedNoise(
                name, 5e4, frequency, spectrum, {"x1": 0.5}, 24.0, {0.5: 0.577}, 0.7
            )
            for name in ("soft", "sharp")
        }

    monkeypatch.setattr(command, "simulated_noise", draw)
    monkeypatch.chdir(tmp_path)
    return frequency, spectrum


def facts(path, measured, x1):
    frequency, spectrum = measured
    patient = {
        "patient": "A",
        "f_av_per_cm": 4.0,
        "autocorr": {"x1": x1},
        "nps_freq_per_cm": list(frequency),
        "nps_normalised": list(spectrum),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"soft_kernel": [patient], "sharp_kernel": [patient]}))


def test_check_says_that_there_are_no_facts_and_still_measures(measured, capsys):
    assert main(["simulate", "--check", "--device", "cpu"]) == DONE
    said = capsys.readouterr()
    assert "There is no file ../shared/data/noise_facts.json" in said.err
    assert "| soft | autocorrelation x1 | 0.500 | – | – | – |" in said.out
    assert "| sharp | σ in lung over σ in liver | 0.700 | 0.800 | 0.200 | yes |" in said.out


def test_check_holds_the_noise_against_the_facts_and_plots_them(measured, tmp_path, capsys):
    facts(tmp_path / "facts.json", measured, x1=0.48)
    options = ["--facts", "facts.json", "--plot", "nps.png", "--device", "cpu"]
    assert main(["simulate", "--check", *options]) == DONE
    assert "| soft | autocorrelation x1 | 0.500 | 0.480 | 0.080 | yes |" in capsys.readouterr().out
    assert (tmp_path / "nps.png").read_bytes().startswith(b"\x89PNG")


def test_check_fails_where_the_noise_differs(measured, tmp_path, capsys):
    facts(tmp_path / "facts.json", measured, x1=0.2)
    assert main(["simulate", "--check", "--facts", "facts.json", "--device", "cpu"]) == 1
    assert "| soft | autocorrelation x1 | 0.500 | 0.200 | 0.080 | NO |" in capsys.readouterr().out
