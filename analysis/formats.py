"""Numbers as a reader sees them."""

import numpy as np

MINUS, DASH, TIMES = "\u2212", "\u2013", "\u00d7"


def format_strength(value: float) -> str:
    """A hyper-parameter with all its digits, so that no two print alike.

    >>> format_strength(4.0), format_strength(1e-4), format_strength(1_000_001)
    ('4', '0.0001', '1000001')
    """
    return np.format_float_positional(value, trim="-")


def format_percent(share: float, digits: int = 0) -> str:
    """A share in percent.

    >>> format_percent(0.07), format_percent(-0.125, 1)
    ('7 %', '−12.5 %')
    """
    return f"{100 * share:.{digits}f} %".replace("-", MINUS)
