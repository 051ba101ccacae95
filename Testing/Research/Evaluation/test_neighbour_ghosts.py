"""The shipped neighbour model keeps a structure that one slice shows, and gives it to no other."""

from dataclasses import replace

import pytest
from pseudoct_research.evaluation import neighbour_study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.neighbour_study import measure_disc
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.models.store import load_models


@pytest.fixture
def phantom(repository, monkeypatch):
    """Five slices of the sample phantom's liver, without averaging over orientations."""
    once = replace(neighbour_study.START, orientations=1)
    monkeypatch.setattr(neighbour_study, "START", once)
    folder = repository / "PseudoCTDenoise/Resources/SampleData"
    volume = read_volume(folder / "PseudoCTDenoise_phantom_ldct.nrrd")
    hu = volume.hu[8:13, 160:352, 60:252]
    return CtPair("phantom", hu, hu, volume.pixel_mm)


@pytest.mark.slow
def test_a_structure_in_one_slice_stays_there(phantom):
    models = load_models("fast", with_noise_models=False)
    settings = DenoisingSettings(neighbours=True)
    job = DenoisingJob(
        phantom.ldct, models.denoiser[0], [], settings, neighbour_model=models.neighbour_network
    )
    assert job.corrected == len(phantom.ldct)
    for row in measure_disc(phantom, models):
        assert row["kept"] > row["kept_alone"] - 3
        assert abs(row["ghost"]) < 3
