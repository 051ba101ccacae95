"""Phantoms: a torso with known lesions, which is the sample scan, and a quality phantom."""
