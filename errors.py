"""What the user can mend: one class for each kind of fault that several rooms come upon."""

import difflib
from collections.abc import Iterable, Sequence


class TeaselError(Exception):
    """Something is wrong that the user can mend; the message says what and how."""


class ConfigError(TeaselError):
    """A YAML file, of a grid or a cluster, is wrong; the message lists every fault on a line."""


class UnknownNameError(TeaselError, ValueError):
    """There is no data set, method, metric, score or figure of this name.

    Args:
        what: The kind of thing, as in "data set".
        name: What was asked for.
        known: The names there are.
        where: Where it was looked for, as in "in these results".

    >>> print(UnknownNameError("metric", "migg", ["mig", "sap"]))
    unknown metric 'migg' (did you mean 'mig'?)
    """

    def __init__(self, what: str, name: str, known: Iterable[str], where: str = "") -> None:
        self.what, self.name, self.known, self.where = what, name, list(known), where
        super().__init__(what, name, self.known, where)  # so that it can be pickled

    def __str__(self) -> str:
        where = f" {self.where}" if self.where else ""
        return f"unknown {self.what} '{self.name}'{where}{self.hint}"

    @property
    def hint(self) -> str:
        """The nearest known name as a question, or all of them."""
        return hint(self.name, self.known)


def hint(name: str, known: Sequence[str]) -> str:
    """The nearest known name as a question, or all of them.

    >>> hint("bta", ["beta", "gamma"]), hint("x", ["beta", "gamma"])
    (" (did you mean 'beta'?)", ' (one of: beta, gamma)')
    """
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else f" (one of: {', '.join(known)})"
