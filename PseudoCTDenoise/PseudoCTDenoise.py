"""PseudoCTDenoise: the classes that Slicer looks up by name. PseudoCTDenoiseLib does the work."""

import sys
from pathlib import Path
from unittest import SkipTest

if sys.version_info < (3, 10):  # noqa: UP036 the other imports fail in Slicer 5.8
    raise ImportError("Pseudo-CT Denoise needs Slicer 5.12 or newer. Update Slicer.")

import numpy as np
import slicer
from PseudoCTDenoiseLib.panel.widget import PseudoCTDenoiseWidget  # noqa: F401 Slicer finds it here
from PseudoCTDenoiseLib.scene.ct_input import sliceAxis
from PseudoCTDenoiseLib.scene.loaded_scenes import watchScenes
from PseudoCTDenoiseLib.scene.logic import PseudoCTDenoiseLogic
from PseudoCTDenoiseLib.scene.parameter_node import PseudoCTDenoiseParameterNode  # noqa: F401
from PseudoCTDenoiseLib.worker.job_folder import remove_abandoned_jobs
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

PHANTOM_SHA256 = "80c899a669ba8037ad11b836da7ba97e87c3bd494f394467efaabd88f8a68019"


class PseudoCTDenoise(ScriptedLoadableModule):
    """The module's entry in Slicer's menu."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Pseudo-CT Denoise")
        self.parent.categories = ["Filtering.Denoising"]
        self.parent.dependencies = []
        self.parent.contributors = ["PseudoCTDenoise contributors"]
        self.parent.helpText = _(
            "Denoises low-dose CT. A background process tunes a pre-trained network on the scan "
            "itself, without a normal-dose reference, and adds the denoised volume and the noise "
            "maps to the scene. Research use only, not for primary diagnosis."
        )
        self.parent.acknowledgementText = _(
            "After D. Won, E. Jung, S. An, P. Chikontwe, S. H. Park: Self-Supervised Learning "
            "based CT Denoising using Pseudo-CT Image Pairs, arXiv 2104.02326."
        )
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted():
    """Register the sample data, and watch for scenes with a comparison before a panel is opened.

    Also remove the scans of jobs that ended together with an earlier Slicer.
    """
    import SampleData

    resources = Path(__file__).parent / "Resources"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="PseudoCTDenoise",
        sampleName="PseudoCTDenoisePhantom",
        thumbnailFileName=str(resources / "Icons" / "PseudoCTDenoise.png"),
        uris=(resources / "SampleData" / "PseudoCTDenoise_phantom_ldct.nrrd").as_uri(),
        fileNames="PseudoCTDenoise_phantom_ldct.nrrd",
        nodeNames="Low-dose CT phantom",
        loadFileType="VolumeFile",
        checksums=f"SHA256:{PHANTOM_SHA256}",  # keeps the cache from returning an older version
    )
    watchScenes()
    remove_abandoned_jobs()


class PseudoCTDenoiseTest(ScriptedLoadableModuleTest):
    """Self-test in Slicer, with the sample data."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run the test as Slicer's button does, which reports every exception as a failure."""
        self.setUp()
        try:
            self.test_DenoisesTheSampleData()
        except SkipTest as skipped:
            self.delayDisplay(f"Skipped: {skipped}")

    def test_DenoisesTheSampleData(self):
        """Denoise the phantom, change the strength and compare."""
        self.delayDisplay("Denoising the phantom")
        phantom = (
            Path(slicer.util.modulePath("PseudoCTDenoise")).parent
            / "Resources/SampleData/PseudoCTDenoise_phantom_ldct.nrrd"
        )
        volume = slicer.util.loadVolume(str(phantom))
        before = slicer.util.arrayFromVolume(volume).copy()
        logic = PseudoCTDenoiseLogic()
        self.assertEqual(sliceAxis(volume), 2)
        problem = logic.environmentProblem()
        if problem:  # machines that build extensions have no torch
            self.skipTest(problem.text)
        denoised = logic.process(volume, preset="quick")
        after = slicer.util.arrayFromVolume(denoised)
        self.assertTrue((slicer.util.arrayFromVolume(volume) == before).all())
        self.assertEqual(after.shape, before.shape)
        self.assertLess(abs(after.mean() - before.mean()), 2.0)
        noise = [np.abs(np.diff(hu, axis=2)).mean() for hu in (before, after)]
        self.assertLess(noise[1], 0.8 * noise[0])
        logic.applyStrength(denoised, 0)
        self.assertTrue((slicer.util.arrayFromVolume(denoised) == before).all())
        logic.showSideBySide(denoised)
        self.delayDisplay("Passed")
