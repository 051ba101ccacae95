"""The two ways in which a job ends early without a fault of the program."""


class BadInputError(ValueError):
    """Something that the user can mend.

    The text is one line: what is wrong, and what to do next.
    """


class Cancelled(Exception):
    """Raised by a progress callback to stop the job; nothing is written."""
