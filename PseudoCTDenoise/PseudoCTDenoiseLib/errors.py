"""Exceptions that end a job early although the program works as intended."""


class BadInputError(ValueError):
    """An input error that the user can fix.

    The message is one line: what is wrong, then what to do.
    """


class Cancelled(Exception):
    """Exception that a progress callback raises to cancel the job; no result is written."""
