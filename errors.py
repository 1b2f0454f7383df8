"""Errors that the user can fix: one class for each kind of fault that several rooms report."""

import difflib
from collections.abc import Iterable, Sequence


class TeaselError(Exception):
    """Something is wrong that the user can fix; the message says what and how."""


class ConfigError(TeaselError):
    """A YAML file of a grid or a cluster is wrong; the message lists each fault on a line."""


class UnknownNameError(TeaselError, ValueError):
    """There is no data set, method, metric, score or figure with this name.

    Args:
        what: The kind of thing, such as "data set".
        name: The unknown name.
        known: The known names.
        where: Where the name was looked up, such as "in these results".
        remedy: What to do; by default a suggestion of the nearest known name.

    >>> print(UnknownNameError("metric", "migg", ["mig", "sap"]))
    unknown metric 'migg' (did you mean 'mig'?)
    """

    def __init__(
        self, what: str, name: str, known: Iterable[str], where: str = "", remedy: str = ""
    ) -> None:
        self.what, self.name, self.known = what, name, list(known)
        self.where, self.remedy = where, remedy
        super().__init__(what, name, self.known, where, remedy)  # so that it can be pickled

    def __str__(self) -> str:
        where = f" {self.where}" if self.where else ""
        advice = f": {self.remedy}" if self.remedy else self.hint
        return f"unknown {self.what} '{self.name}'{where}{advice}"

    @property
    def hint(self) -> str:
        """A question with the nearest known name, or the list of known names."""
        return hint(self.name, self.known)


_MOST_NAMES = 50

INSTALL = "; one of your own must be installed, see docs/your_own.md"
"""Further advice about an unknown entry of a catalogue."""


def hint(name: str, known: Sequence[str], otherwise: str = "") -> str:
    """A question with the nearest known name, or a list of up to 50 known names, or nothing.

    Args:
        name: The unknown name.
        known: The known names.
        otherwise: Further advice, if no name is near.

    >>> hint("bta", ["beta", "gamma"]), hint("x", ["beta", "gamma"])
    (" (did you mean 'beta'?)", ' (one of: beta, gamma)')
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f" (did you mean '{close[0]}'?)"
    if not known:
        return ""
    names = ", ".join(known[:_MOST_NAMES])
    more = len(known) - _MOST_NAMES
    return f" (one of: {names}{f' and {more:,} more' if more > 0 else ''}{otherwise})"
