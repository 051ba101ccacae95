"""Command line `pseudoct`, with one file per command."""
