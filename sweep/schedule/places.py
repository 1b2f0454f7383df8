"""Which machines and accelerators fail attempts for a reason of their own."""

import logging
from collections import defaultdict
from collections.abc import Collection

from ..work.tasks import Demand, Place, Task
from .executor import Executor

MOST_IN_A_ROW = 2
"""Failed attempts in a row, before a place is set aside."""

_LOG = logging.getLogger("teasel")


class Places:
    """Sets places aside on which attempts fail, until the trials turn out to be to blame.

    A place is a node, or an accelerator of a node. It is set aside when attempts fail on it in a
    row, as long as there are other places. A node as a whole is set aside when attempts fail in a
    row on several of its accelerators.

    The trials are to blame if they also fail where the attempt before succeeded, or are given up.
    The place gets work again then, and the next time it takes twice as many failures.

    Args:
        executor: Who places the work.

    Attributes:
        aside: Why each place that is set aside is.
    """

    def __init__(self, executor: Executor) -> None:
        self.aside: dict[Place, str] = {}
        self._executor = executor
        self._failed: dict[Place, list[set[str]]] = {}  # trials of attempts, since a success
        self._row: defaultdict[tuple[str, bool], list[Place]] = defaultdict(list)  # of a node's
        self._working: set[Place] = set()  # where the last attempt succeeded
        self._suspected: set[Place] = set()  # of those aside; the others stay so
        self._limits: defaultdict[Place, int] = defaultdict(lambda: MOST_IN_A_ROW)

    def set_aside(self, place: Place, demand: Demand, why: str) -> bool:
        """Gives no more work to a place; returns False, and does nothing, if there is no other."""
        if not place.node or not self._executor.avoid(place, demand):
            return False
        if place not in self.aside:
            self.aside[place] = why
            _LOG.warning("%s gets no more work: %s", place, why)
        return True

    def note_failure(self, place: Place, task: Task) -> bool:
        """Remembers a failed attempt; returns whether the place is to blame, not the trials."""
        trials = {trial.trial_id for trial in task.trials}
        if not place.node:
            return False
        if place in self._working and (others := self._where_failed(trials)):
            for other in others:
                self._clear(other, "what failed there fails elsewhere, too")
            return False
        self._working.discard(place)
        self._failed.setdefault(place, []).append(trials)
        self._row[_kind(place)].append(place)
        for suspect, num_failures in self._suspects(place).items():
            why = f"{num_failures} attempts in a row failed there"
            known = suspect in self.aside
            if num_failures >= self._limits[suspect] and self.set_aside(suspect, task.demand, why):
                self._suspected |= set() if known else {suspect}
                return True
        return False

    def note_success(self, place: Place) -> None:
        """Remembers that an attempt succeeded."""
        self._working.add(place)
        self._row[_kind(place)].clear()
        self._clear(place, "an attempt succeeded there")

    def note_given_up(self, trials: Collection[str]) -> None:
        """Remembers that trials have failed for good: where they failed is not to blame."""
        for place in self._where_failed(trials):
            self._clear(place, "the trials that failed there are given up")

    def _suspects(self, place: Place) -> dict[Place, int]:
        """The places that may be to blame, the larger first, and their failures in a row."""
        row = self._row[_kind(place)]
        suspects = {place.whole: len(row)} if len(set(row)) > 1 else {}
        return suspects | {place: len(self._failed[place])}

    def _where_failed(self, trials: Collection[str]) -> list[Place]:
        return [
            place
            for place, attempts in self._failed.items()
            if any(not each.isdisjoint(trials) for each in attempts)
        ]

    def _clear(self, place: Place, why: str) -> None:
        self._failed.pop(place, None)
        row = self._row[_kind(place)]
        row[:] = [each for each in row if each != place]
        for each in {place, place.whole} & self._suspected:
            self._suspected.remove(each)
            del self.aside[each]
            self._limits[each] *= 2
            self._executor.readmit(each)
            _LOG.warning("%s gets work again: %s", each, why)


def _kind(place: Place) -> tuple[str, bool]:
    """What works or breaks together: the accelerators of a node, or its CPUs."""
    return place.node, bool(place.accelerator)
