"""Small experiment for tests: patients of soft tissue, networks of two channels."""

import numpy as np
import pytest
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.paper import pretrained
from pseudoct_research.paper.experiment_data import ExperimentData
from pseudoct_research.paper.trained_networks import write_histogram


def patient(name, seed, slices=2, noise_hu=20.0):
    """Return tissue of 50 HU in air with low-dose noise; odd pixels repeat even ones."""
    rng = np.random.default_rng(seed)
    ndct = np.full((slices, 160, 176), -1000.0)
    ndct[:, 8:-8, 8:-8] = 50 + rng.normal(0, 5, (slices, 144, 160))
    ldct = ndct + rng.normal(0, noise_hu, ndct.shape)
    ldct, ndct = (np.rint(hu).clip(-1024).astype(np.int16) for hu in (ldct, ndct))
    return CtPair(name, ldct, ndct, 0.8)


@pytest.fixture(scope="session")
def data() -> ExperimentData:
    training = [patient(name, seed) for seed, name in enumerate(("B", "A", "C"))]
    return ExperimentData(
        training=training,
        second_draw=[patient(pair.patient, 50 + n).ldct for n, pair in enumerate(training)],
        validation=[patient("v", 70)],
        second_validation_draw=[patient("v", 90).ldct],
        measured=[patient("one", 80), patient("two", 81, slices=1)],
        training_description={"patients": ["A", "B", "C"]},
        description={"patients": ["A", "B", "C"], "measured on": "test"},
        credits=[
            {"patient": name, "source": "made here", "licence": "none"} for name in ("A", "B", "C")
        ],
    )


def make_tiny(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(pretrained.CHANNELS, "red-cnn-32", 2)
    patch.setattr(pretrained, "STEPS", 2)
    patch.setattr(pretrained, "NOISE_MODEL_STEPS", 2)


@pytest.fixture
def tiny(monkeypatch):
    """Use the smallest possible networks and training runs."""
    make_tiny(monkeypatch)


@pytest.fixture(scope="session")
def trained(data, tmp_path_factory):
    """Return the folder of all networks of the experiment."""
    folder = tmp_path_factory.mktemp("experiment")
    with pytest.MonkeyPatch.context() as patch:
        make_tiny(patch)
        for name, lesson in pretrained.runs("red-cnn-32", data, pretrained.STARTS):
            assert pretrained.pretrain(name, lesson, "red-cnn-32", data, folder, "cpu")
    write_histogram(data, folder)
    return folder
