"""Exit codes of the commands."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED, INCOMPLETE, DIFFERENT = range(7)
