"""Formats numbers for readers."""

import numpy as np

MINUS, DASH, TIMES = "\u2212", "\u2013", "\u00d7"


def format_strength(value: float | str) -> str:
    """A hyper-parameter with all its digits, so that different values look different.

    >>> format_strength(4.0), format_strength(1e-4), format_strength(1_000_001)
    ('4', '0.0001', '1000001')
    """
    return value if isinstance(value, str) else np.format_float_positional(value, trim="-")


def count_decimals(spread: float, otherwise: int = 3) -> int:
    """The decimals that show the first digit of a spread or half an interval, from 2 to 6.

    It is `otherwise` if there is no spread.

    >>> count_decimals(0.0004), count_decimals(12.3), count_decimals(float("nan"))
    (4, 2, 3)
    """
    if not np.isfinite(spread) or spread < 1e-6:  # the same number, but for rounding
        return otherwise
    return int(np.clip(np.ceil(-np.log10(spread)), 2, 6))


def format_number(value: float, spread: float = float("nan")) -> str:
    """A number with as many decimals as its spread, or half its interval, supports.

    >>> format_number(0.03124, 0.0004), format_number(-81.664, 12.3), format_number(0.5)
    ('0.0312', '−81.66', '0.500')
    """
    return f"{value:,.{count_decimals(spread)}f}".replace("-", MINUS)


def format_percent(share: float, digits: int = 0) -> str:
    """A share as a percentage.

    >>> format_percent(0.07), format_percent(-0.125, 1)
    ('7 %', '−12.5 %')
    """
    return f"{100 * share:.{digits}f} %".replace("-", MINUS)
