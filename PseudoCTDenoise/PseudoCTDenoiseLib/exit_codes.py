"""Exit codes of the commands."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED = range(5)
