"""Tables in LaTeX, for papers: with booktabs, everything escaped."""

import math
import unicodedata
from collections.abc import Sequence

from pandas import DataFrame
from pandas.api.types import is_float_dtype, is_numeric_dtype

from ..words import printable
from .formats import DASH, MINUS, TIMES
from .names import PAPER_NAMES, Names

ESTIMATES = (
    *("corrected", "value", "mean", "correlation", "probability", "success", "change"),
    "difference",
)
"""Columns whose interval is `low` to `high`."""

LONG = 40
"""The number of letters in a cell from which its column is broken into lines."""

_TEXT = (
    "textbackslash textasciitilde textasciicircum textless textgreater textbar textendash "
    "textemdash ldots ss o O ae AE l L"
)
_MATHS = (
    "times pm cdot le ge infty alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu "
    "nu xi pi rho varsigma sigma tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi "
    "Sigma Upsilon Phi Psi Omega"
)
_SHOWN_BY = dict(
    [
        *((character, f"\\{character}") for character in "&%$#_{}"),
        *((character, f"{{{character}}}") for character in "[]*"),  # which a row's end would read
        *((character, " ") for character in "\n\t\u00a0"),
        *zip('"\u2018\u2019\u201c\u201d`', ("''", "'", "'", "''", "''", r"\`{}"), strict=True),
        *zip(f"{MINUS}²³", [rf"\ensuremath{{{each}}}" for each in ("-", "^2", "^3")], strict=True),
        ("°", r"\ensuremath{^\circ}"),
    ]
)
for _names, _form, _characters in (
    (_TEXT, r"\%s{}", f"\\~^<>|{DASH}\u2014…ßøØæÆłŁ"),
    (_MATHS, r"\ensuremath{\%s}", f"{TIMES}±·≤≥∞αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"),
):
    _SHOWN_BY |= {c: _form % name for c, name in zip(_characters, _names.split(), strict=True)}
_ACCENTS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
        "`'^~=u.\"rHvc",
        strict=True,
    )
)


def escape(words: str) -> str:
    r"""The text escaped for LaTeX.

    A character that LaTeX lacks without further packages is replaced by its number.

    >>> print(escape("50 % of R_2 & β-VAE, é, 中"))
    50 \% of R\_2 \& \ensuremath{\beta}-VAE, \'{e}, U+4E2D
    """
    return "".join(map(_escape, printable(words))).replace("--", "-{}-")


def _escape(character: str) -> str:
    if character in _SHOWN_BY:
        return _SHOWN_BY[character]
    if character.isascii():
        return character
    base, *marks = unicodedata.normalize("NFKD", character)
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    if base != character and not marks:
        return _escape(base)
    return f"U+{ord(character):04X}"


def format_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    r"""A number in LaTeX with its interval; the interval has two digits and sets the decimals.

    >>> format_interval(0.51234, 0.4889, 0.53578), format_interval(0.98, 0.91, 1.0)
    ('0.512 $\\pm$ 0.023', '0.980 {[}0.910, 1.000{]}')
    >>> format_interval(351.2, 340.1, 362.3), format_interval(-0.5, float("nan"), float("nan"))
    ('351 $\\pm$ 11', '$-$0.500')
    """
    if not math.isfinite(value):
        return "--"
    half = (high - low) / 2
    if math.isfinite(half) and half > 0:
        digits = max(0, 1 - math.floor(math.log10(half)))
    shown, start, end, side = (
        f"{number:,.{digits}f}".replace("-", "$-$") for number in (value, low, high, half)
    )
    if not math.isfinite(half):
        return shown
    if abs(low + high - 2 * value) > 0.02 * half:
        return f"{shown} {{[}}{start}, {end}{{]}}"
    return rf"{shown} $\pm$ {side}"


def make_tabular(titles: Sequence[str], rows: Sequence[Sequence[str]], columns: str) -> str:
    r"""A tabular with booktabs, for a separate file read by `\input`.

    Args:
        titles: of the columns, in LaTeX.
        rows: cells, in LaTeX.
        columns: their LaTeX column types, such as "lrr".
    """
    table = DataFrame(list(rows), columns=range(len(titles)), dtype=object)
    table.columns = list(titles)
    return table.style.hide(axis="index").to_latex(column_format=columns, hrules=True)


def to_latex(table: DataFrame, names: Names = PAPER_NAMES, digits: int = 3) -> str:
    """Any table of the analysis as a LaTeX tabular, with readable labels.

    Columns `low` and `high` are merged into the column whose interval they are: mean ± half of it.

    Args:
        table: the columns to show, in their order.
        names: labels.
        digits: decimals of a number without an interval.
    """
    estimate = next((name for name in ESTIMATES if name in table and "low" in table), "")
    shown = [name for name in table.columns if not estimate or name not in ("low", "high")]
    rows = []
    for row in table.to_dict("records"):
        cells = []
        for name in shown:
            value = row[name]
            if name == estimate:
                cells.append(format_interval(value, row["low"], row["high"], digits))
            elif is_float_dtype(table[name]):
                decimals = 0 if str(name).startswith("num_") else digits
                cells.append(format_interval(value, math.nan, math.nan, decimals))
            elif is_numeric_dtype(table[name]):
                cells.append(f"{value:,}".replace("-", "$-$"))
            else:
                label = names.label_setting if name == "setting" else names.label
                cells.append(escape(label(value)) if isinstance(value, str) else escape(f"{value}"))
        rows.append(cells)
    kinds = "".join("r" if is_numeric_dtype(table[name]) else "l" for name in shown)
    return make_tabular([escape(names.label(name)) for name in shown], rows, kinds)
