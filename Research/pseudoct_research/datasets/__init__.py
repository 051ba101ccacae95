"""CT scans of the experiments: listed in an index, or in the layout of a challenge."""
