"""Volumes on disk: NRRD, NIfTI, MetaImage and DICOM folders."""
