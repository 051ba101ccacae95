"""The views of the layout: real layout and slice logics, drawn off screen, shown in Qt widgets."""
