"""Exit codes of the commands."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED, DIFFERENT = range(6)
