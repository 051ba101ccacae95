"""Comparison of methods, with baseline filters, and the fit of the simulator to a scanner."""
