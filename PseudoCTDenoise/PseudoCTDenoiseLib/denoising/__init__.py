"""The method on HU arrays: torch, numpy and SimpleITK; nothing of Slicer or Qt."""
