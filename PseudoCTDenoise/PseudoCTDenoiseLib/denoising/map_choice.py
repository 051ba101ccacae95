"""The noise maps that a job returns."""

NO_MAPS, ENSEMBLE, ALL_MAPS = MAP_CHOICES = ("none", "ensemble", "all")
"""No noise, that of the ensemble, or also the map of each noise model."""
