"""Series that come from other systems: the DICOM node, and the folders of a router."""
