"""Shows the progress of a run: a live panel on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import IO, NamedTuple, cast

from ...words import format_count, printable
from ..store import checkpoints
from ..store.results import Results
from ..trials.trial import Trial
from .display import Display

_SECONDS_BETWEEN_LINES = 20.0


class Snapshot(NamedTuple):
    """The state of a run, for display.

    Attributes:
        total: The number of trials.
        done: Trials trained and scored.
        failed: Trials given up, or turned to NaN.
        training: Trials being trained.
        scoring: Trials being scored.
        progress: Trials finished, counting unfinished ones by the share of their work that is done,
            and without failed ones.
        aside: The machines and accelerators that get no more work.
        saving: Whether running attempts have been requested to save and stop.
        stranded: Whether there is no machine to work on.
    """

    total: int
    done: int
    failed: int
    training: int
    scoring: int
    progress: float
    aside: tuple[str, ...] = ()
    saving: bool = False
    stranded: bool = False


class Progress:
    """Shows snapshots of a run; a context manager.

    Args:
        title: A title for the run.
        stream: The output; a terminal gets a panel that is redrawn in place.
    """

    def __init__(self, title: str, stream: IO[str]) -> None:
        self._title = printable(title)
        self._stream = cast(IO[str], Display(stream))
        self._live = None
        self._began = self._printed = time.monotonic()
        self._first: float | None = None
        self._last: Snapshot | None = None

    def __enter__(self) -> "Progress":
        if self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._stream), refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._last is not None:
            self._write_line(self._last)

    def show(self, snapshot: Snapshot) -> None:
        """Shows the current state of the run."""
        if self._first is None:
            self._first = snapshot.progress
        now = time.monotonic()
        changed = self._last is None or self._last._replace(progress=snapshot.progress) != snapshot
        self._last = snapshot
        if self._live is not None:
            self._live.update(self._panel(snapshot))
        elif changed or now - self._printed > _SECONDS_BETWEEN_LINES:
            self._printed = now
            self._write_line(snapshot)

    def _write_line(self, snapshot: Snapshot) -> None:
        self._stream.write(f"{self._title}: {self.line(snapshot)}\n")
        self._stream.flush()

    def line(self, snapshot: Snapshot) -> str:
        """The snapshot in words, with the rate and the time left if known."""
        words = [f"{snapshot.done}/{snapshot.total} done"]
        if snapshot.saving and snapshot.training:
            words.append(f"saving {format_count(snapshot.training, 'model')}")
        elif snapshot.training or snapshot.scoring:
            words.append(f"{snapshot.training} training, {snapshot.scoring} being scored")
        elif snapshot.stranded:
            words.append("waiting for a machine")
        words.append(f"{snapshot.failed} failed")
        if snapshot.aside:
            more = f" and {len(snapshot.aside) - 2} more" if len(snapshot.aside) > 2 else ""
            words.append(f"set aside: {' and '.join(snapshot.aside[:2])}{more}")
        elapsed = time.monotonic() - self._began
        gained = snapshot.progress - (self._first or 0.0)
        words.append(f"{duration(elapsed)} gone")
        if gained > 0 and elapsed > 5 and not snapshot.saving:
            rate = gained / elapsed
            left = snapshot.total - snapshot.failed - snapshot.progress
            words.append(f"{3600 * rate:.0f} an hour")
            words.append(f"{duration(left / rate)} left")
        return ", ".join(words)

    def _panel(self, snapshot: Snapshot):
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        table.add_row(
            ProgressBar(
                total=snapshot.total, completed=snapshot.progress + snapshot.failed, width=60
            )
        )
        table.add_row(self.line(snapshot))
        return Panel(table, title=self._title, title_align="left", expand=False)


def describe_saved(results: Results, trials: Iterable[Trial]) -> str:
    """The saved steps of those trials that have a checkpoint; empty if none has.

    For example, "8 models saved at steps 84 and 140 of 400".
    """
    saved = checkpoints.furthest_by_trial(results)
    steps: dict[int, list[int]] = {}
    for trial in trials:
        if trial.trial_id in saved:
            steps.setdefault(trial.training.steps, []).append(saved[trial.trial_id].step)
    return ", ".join(
        f"{format_count(len(at), 'model')} saved at {_describe_steps(at)} of {of}"
        for of, at in steps.items()
    )


def _describe_steps(steps: Iterable[int]) -> str:
    *others, last = sorted(set(steps))
    if len(others) > 4:
        return f"steps {others[0]} to {last}"
    return f"steps {', '.join(map(str, others))} and {last}" if others else f"step {last}"


def duration(seconds: float) -> str:
    """A duration in at most two units.

    >>> duration(42), duration(3723), duration(200_000)
    ('42 s', '1 h 2 min', '2 d 7 h')
    """
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min {seconds % 60} s"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
