"""Comparison of methods, with baseline filters, and the simulator against a real scanner."""
