"""What a metric raises where it has no value."""


class UndefinedScoreError(ValueError):
    """A score is not defined for these points; says why.

    A metric raises it on purpose, and it alone stands in the results as the reason why there is no
    score. Every other exception is a mistake: the attempt has failed, and is made again.
    """
