"""`pseudoct check-simulator` compares the simulator's noise with the noise of a real scanner."""

import json

import numpy as np
import pytest
from pseudoct_research.evaluation import check_simulator_command as command
from pseudoct_research.evaluation.simulator_check import SimulatedNoise
from PseudoCTDenoiseLib.cli.main import BAD_INPUT, DONE, main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["scan.nrrd"], "scan.nrrd"),
        (["--plot", "a.jpg"], ".png"),
        (["--facts", "missing.json"], "missing.json"),
    ],
)
def test_errors_are_reported_before_the_computation(
    tmp_path, monkeypatch, capsys, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(command, "simulated_noise")
    assert main(["check-simulator", *arguments]) == BAD_INPUT
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Replace the measurement, which takes seconds and has tests of its own."""
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


def test_check_reports_missing_facts_and_measures_anyway(measured, capsys):
    assert main(["check-simulator", "--device", "cpu"]) == DONE
    said = capsys.readouterr()
    assert "noise_facts.json does not exist" in said.err
    assert "| soft | autocorrelation x1 | 0.500 | – | – | – |" in said.out
    assert "| sharp | σ in lung over σ in liver | 0.700 | 0.800 | 0.200 | yes |" in said.out


def test_check_compares_the_noise_with_the_facts_and_plots_both(measured, tmp_path, capsys):
    facts(tmp_path / "facts.json", measured, x1=0.48)
    options = ["--facts", "facts.json", "--plot", "nps.png", "--device", "cpu"]
    assert main(["check-simulator", *options]) == DONE
    assert "| soft | autocorrelation x1 | 0.500 | 0.480 | 0.080 | yes |" in capsys.readouterr().out
    assert (tmp_path / "nps.png").read_bytes().startswith(b"\x89PNG")


def test_check_fails_if_the_noise_differs(measured, tmp_path, capsys):
    facts(tmp_path / "facts.json", measured, x1=0.2)
    assert main(["check-simulator", "--facts", "facts.json", "--device", "cpu"]) == 1
    assert "| soft | autocorrelation x1 | 0.500 | 0.200 | 0.080 | NO |" in capsys.readouterr().out
