"""Slicer's scene: from a job's arrays to nodes, views, tables and plots."""
