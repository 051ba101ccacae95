"""What a command's end tells a script."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED = range(5)
