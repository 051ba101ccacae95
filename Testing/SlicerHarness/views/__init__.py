"""The views of a layout: Slicer's layout and slice logics, rendered off screen in Qt widgets."""
