"""Pre-training on pairs or on normal-dose CT alone."""
