"""When a driver folds the small files that its workers write, and which it leaves alone."""

import logging
from collections.abc import Callable, Collection

from ..store.compact import finish_folding, fold_small
from ..store.results import Results
from ..store.store import StoreError
from .drivers import others_at_work

_LOG = logging.getLogger("teasel")

_PAUSE_SECONDS = 60.0  # a reader that takes no longer meets one fold at the most
_SHARE_OF_TIME = 0.02  # that the driver folds, however slow the store is


class Folding:
    """Keeps the files of a results folder few while a driver is at work on it.

    A driver alone folds whatever it finds, also what killed drivers have left. Of several each
    folds what its own workers have written, and the last one the rest. No row depends on who is
    alone: what two have folded stands twice.

    Args:
        results: The folder.
        run_id: Names the driver's run, and with it the files of the run's attempts.
        clock: Seconds.
    """

    def __init__(self, results: Results, run_id: str, clock: Callable[[], float]) -> None:
        self._results = results
        self._run_id = run_id
        self._clock = clock
        self._ended_at, self._pause = clock(), _PAUSE_SECONDS
        self._has_warned = False

    def fold(self, running: Collection[str]) -> None:
        """Folds small files, if it is time to and there are many.

        Args:
            running: The attempts that run. Their files stay: they are looked for by their names
                if the attempt fails.
        """
        began = self._clock()
        if began - self._ended_at < self._pause:
            return
        self._try(lambda: self._fold_small(running))
        self._ended_at = self._clock()
        self._pause = max(_PAUSE_SECONDS, (self._ended_at - began) / _SHARE_OF_TIME)

    def finish(self) -> None:
        """Folds all files of the small tables, if they are many; beside others only this run's."""
        if self._is_alone():
            self._try(lambda: finish_folding(self._results))
        else:
            self._try(lambda: self._fold_small(()))

    def _fold_small(self, running: Collection[str]) -> None:
        alone = self._is_alone()

        def may(file: str) -> bool:
            own = alone or self._run_id in file
            return own and not any(attempt_id in file for attempt_id in running)

        fold_small(self._results, self._run_id, may)

    def _is_alone(self) -> bool:
        return not others_at_work(self._results, self._run_id)

    def _try(self, fold: Callable[[], None]) -> None:
        """A fold that fails loses no row: the study goes on, with more files than it could have."""
        try:
            fold()
        except StoreError as error:
            if not self._has_warned:
                _LOG.warning("Small files are not folded: %s", error)
            self._has_warned = True
