"""The command line `pseudoct`, a file a command."""
