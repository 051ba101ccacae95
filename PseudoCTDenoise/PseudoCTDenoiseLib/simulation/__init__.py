"""Simulation of low-dose CT from normal-dose images: scanner, kernels and noise."""
