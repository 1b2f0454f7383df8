"""The error that a metric raises if it has no value."""


class UndefinedScoreError(ValueError):
    """A score is not defined for these points; the message says why.

    A metric raises it deliberately, and only its message is stored as the reason for a missing
    score. Any other exception is a bug: the attempt fails and is tried again.
    """
