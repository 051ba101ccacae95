"""Plugin for Slicer's module DICOM: exports results of Pseudo-CT Denoise.

The library is imported where it is used, because a reload of the module replaces it.
"""

import slicer
from DICOMLib import DICOMPlugin
from slicer.i18n import tr as _


class DICOMPseudoCTDenoisePluginClass(DICOMPlugin):
    """Offers results whose input comes from DICOM as series that are derived from it."""

    def __init__(self):
        super().__init__()
        self.loadType = _("Derived CT series")

    def examineForExport(self, subjectHierarchyItemID):
        """Return the export of an item, or an empty list if another plugin must do it.

        For a study, the dialog asks for every item in it, even that of a hidden volume.
        """
        from PseudoCTDenoiseLib.scene.dicom_export import canExport

        volume = _volumeOf(subjectHierarchyItemID)
        if not canExport(volume) or volume.GetHideFromEditors():
            return []
        exportable = slicer.qSlicerDICOMExportable()
        exportable.name = self.loadType
        exportable.tooltip = _(
            "Writes a series that is derived from the original DICOM files. Patient, study, "
            "positions and acquisition are copied from these files; tags that are edited here are "
            "not used."
        )
        exportable.subjectHierarchyItemID = subjectHierarchyItemID
        exportable.pluginClass = self.__module__
        exportable.confidence = 0.9  # Slicer's own export of any volume has 0.5
        exportable.setTag("Modality", "CT")
        return [exportable]

    def export(self, exportables):
        """Write each exportable to its directory; return an error message, empty on success."""
        from PseudoCTDenoiseLib.errors import BadInputError
        from PseudoCTDenoiseLib.scene.dicom_export import exportVolume

        for exportable in exportables:
            try:
                exportVolume(_volumeOf(exportable.subjectHierarchyItemID), exportable.directory)
            except BadInputError as error:
                return str(error)
        return ""


def _volumeOf(itemID):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemDataNode(itemID)


class DICOMPseudoCTDenoisePlugin:
    """Entry among Slicer's modules, by which the module DICOM finds the plugin."""

    def __init__(self, parent):
        parent.title = "DICOM Pseudo-CT Denoise Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.contributors = ["PseudoCTDenoise contributors"]
        parent.helpText = "Exports denoised CT volumes as derived DICOM series."
        parent.acknowledgementText = ""
        parent.hidden = True  # it has no panel
        # The module DICOM may be loaded later.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins[type(self).__name__] = DICOMPseudoCTDenoisePluginClass
