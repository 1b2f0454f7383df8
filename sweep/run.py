"""`teasel run` and `teasel rescore`: from the names of grids to a finished results folder."""

import signal
import time
import uuid
from collections.abc import Sequence
from types import FrameType

from ..metrics import METRICS
from .executor import Executor
from .grid import load_grid
from .grid_faults import hint
from .outstanding import Outstanding, outstanding
from .progress import Progress, duration
from .results import Results
from .scheduler import Options, Scheduler, Summary
from .schema import only
from .selection import select as select_trials
from .study import check_writable, freeze, frozen_grids, work
from .yaml_source import GridError


def run(
    names: Sequence[str],
    results: str | None = None,
    select: str | None = None,
    address: str | None = None,
    fail_fast: bool = False,
    grace_seconds: float = 60.0,
    executor: Executor | None = None,
) -> Summary:
    """Does what is missing of some grids, and says how it ended.

    Args:
        names: Packaged grids, or YAML files, of one study.
        results: Folder or URI; by default ``results/<study>`` below the current folder.
        select: Only the trials that meet these conditions.
        address: A running Ray cluster; by default a Ray of our own on this machine.
        fail_fast: Stop at the first failure.
        grace_seconds: How long workers may take to save when interrupted.
        executor: Who carries the work out; by default Ray.

    Raises:
        GridError: If a grid is wrong; nothing is written then.
        ResultsError: If the folder holds another study; nothing is written then.
        StoreError: If the folder cannot be written.
        SelectionError: If the selection is wrong.
        ClusterError: If there is no Ray.
        DemandError: If no machine can place the work.
    """
    loaded = [load_grid(name) for name in names]
    grids = [grid for grid, _ in loaded]
    first = grids[0]
    folder = Results(results or f"results/{first.study}")
    everything = work(grids)
    chosen = {t.trial_id for t in select_trials([trial for trial, _ in everything], select)}
    check_writable(folder)
    freeze(folder, loaded)
    options = Options(
        pack=first.resources.pack,
        gpus_per_pack=first.resources.gpus_per_pack,
        checkpoint_seconds=60 * first.resources.checkpoint_minutes,
        save_models=first.save_models,
        fail_fast=fail_fast,
        grace_seconds=grace_seconds,
    )
    left = outstanding(folder, [some for some in everything if some.trial.trial_id in chosen])
    return _carry_out(folder, first.study, left, options, executor, address)


def rescore(
    uri: str, names: Sequence[str], address: str | None = None, executor: Executor | None = None
) -> Summary:
    """Scores every trained model of a results folder by more metrics, without training again.

    Args:
        uri: The results folder.
        names: Metrics of the catalogue; they get their default parameters and the study's seeds.
        address: A running Ray cluster; by default a Ray of our own on this machine.
        executor: Who carries the work out; by default Ray.

    Raises:
        ResultsError: If there is no study.
        GridError: If a name is not in the catalogue.
        StoreError: If the folder cannot be written.
    """
    for name in names:
        if name not in METRICS:
            raise GridError(f"unknown metric '{name}'{hint(name, list(METRICS))}")
    folder = Results(uri)
    grids = frozen_grids(folder)
    check_writable(folder)
    more = [grid.model_copy(update={"metrics": only(names)}) for grid in grids]
    left = outstanding(folder, work(more))._replace(untrained=[])
    return _carry_out(folder, grids[0].study, left, Options(), executor, address)


def _carry_out(
    folder: Results,
    study: str,
    left: Outstanding,
    options: Options,
    executor: Executor | None,
    address: str | None,
) -> Summary:
    done, failed, total = len(left.done), len(left.failed), sum(len(group) for group in left)
    if left.nothing:
        print(f"Nothing to do: {_said(done, failed, total)}")
        return Summary(done, failed, 0, interrupted=False)
    print(f"{study}: {_said(done, failed, total)} in {folder.uri}")
    began = time.monotonic()
    executor = executor or _ray(address)
    try:
        with _Signals() as signals, Progress(study) as progress:
            summary = Scheduler(
                folder,
                study,
                left,
                executor,
                options,
                run_id=uuid.uuid4().hex[:8],
                signals=lambda: signals.count,
                show=progress.show,
                clock=time.monotonic,
            ).run()
    finally:
        executor.shutdown()
    print(_conclusion(summary, folder, time.monotonic() - began))
    return summary


def _ray(address: str | None) -> Executor:
    from .ray_executor import RayExecutor

    return RayExecutor(address)


def _said(done: int, failed: int, total: int) -> str:
    return f"{done} of {total} trials are done" + (f", {failed} failed" if failed else "")


def _conclusion(summary: Summary, folder: Results, seconds: float) -> str:
    total = summary.done + summary.failed + summary.missing
    words = f"{_said(summary.done, summary.failed, total)} after {duration(seconds)}."
    if summary.failed:
        words += f" See `teasel failures {folder.uri}`."
    if summary.interrupted and summary.missing:
        words += " Interrupted: the same command goes on from here."
    return words


class _Signals:
    """Counts SIGINT and SIGTERM instead of dying of them; a context manager."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "_Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
