"""Decides when a driver folds the small files of its workers, and which it leaves alone."""

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

    A driver that is alone folds all files, including those left by killed drivers. If there are
    several, each folds the files of its own workers, and the last one folds the rest. No row is
    lost if a driver is wrong about being alone: rows folded by two drivers are only duplicated.

    Args:
        results: The folder.
        run_id: The name of the driver's run, which is part of its attempts' file names.
        clock: The time in seconds.
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
            running: The running attempts. Their files are left alone, because they are looked up by
                name if the attempt fails.
        """
        began = self._clock()
        if began - self._ended_at < self._pause:
            return
        self._try(lambda: self._fold_small(running))
        self._ended_at = self._clock()
        self._pause = max(_PAUSE_SECONDS, (self._ended_at - began) / _SHARE_OF_TIME)

    def finish(self) -> None:
        """Folds all files of the small tables if there are many; beside others, only this run's."""
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
        """Folds. If that fails, the study continues with more files and loses no row."""
        try:
            fold()
        except StoreError as error:
            if not self._has_warned:
                _LOG.warning("Small files are not folded: %s", error)
            self._has_warned = True
