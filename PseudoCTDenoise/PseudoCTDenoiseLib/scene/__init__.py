"""Slicer's scene: nodes, views, tables and plots of a result, and the module's logic."""
