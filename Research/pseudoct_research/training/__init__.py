"""Pre-training on real pairs or on normal-dose CT alone."""
