"""Reading and writing of volumes: NRRD, NIfTI, MetaImage and DICOM folders."""
