"""Exit codes of the commands."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED, INCOMPLETE = range(6)
