"""`teasel run` and `teasel rescore`: from the names of grids to a finished results folder."""

import signal
import sys
import time
import uuid
from collections.abc import Sequence
from types import FrameType

from ...catalogue import hint
from ...metrics import METRICS
from ..grid.grid import Grid, load_grid
from ..grid.schema import only
from ..grid.select import select as select_trials
from ..grid.source import GridError, Source
from ..schedule.drivers import at_work
from ..schedule.executor import Executor, check_shared
from ..schedule.progress import Progress, duration
from ..schedule.scheduler import Options, Scheduler, Summary
from ..store.results import Results
from ..study.remaining import Remaining, remaining
from ..study.shards import Shard
from ..study.study import check_writable, freeze, frozen_grids, work
from ..work.machine import is_leaving


def run(
    names: Sequence[str],
    results: str | None = None,
    select: str | None = None,
    ray_address: str | None = None,
    fail_fast: bool = False,
    grace_seconds: float = 60.0,
    shard: Shard | None = None,
    executor: Executor | None = None,
) -> Summary:
    """Does what is missing of some grids, and says how it ended.

    Args:
        names: Packaged grids, or YAML files, of one study.
        results: Folder or URI; by default ``results/<study>`` below the current folder.
        select: Only the trials that meet these conditions.
        ray_address: A running Ray cluster; by default a Ray of our own on this machine.
        fail_fast: Save and stop as soon as a trial has failed.
        grace_seconds: How long workers may take to save when interrupted.
        shard: Only this shard of the trials; other drivers do the others.
        executor: Who carries the work out; by default Ray.

    Raises:
        GridError: If a grid is wrong; nothing is written then.
        ResultsError: If the folder holds another study; nothing is written then.
        DriverError: If another driver is at work on these trials; nothing is written then.
        StoreError: If the folder cannot be written.
        SelectionError: If the selection is wrong.
        ClusterError: If there is no Ray, or its nodes do not share the folder.
        DemandError: If no machine can place the work.
    """
    loaded = [load_grid(name) for name in names]
    grids = [grid for grid, _ in loaded]
    options = _options(loaded, fail_fast, grace_seconds)
    study = grids[0].study
    folder = Results(results or f"results/{study}")
    everything = work(grids)
    chosen = {t.trial_id for t in select_trials([trial for trial, _ in everything], select)}
    wanted = [wanted_trial for wanted_trial in everything if wanted_trial.trial.trial_id in chosen]
    if shard is not None:
        wanted = shard.of(wanted)
    check_writable(folder)
    run_id = _new_run_id()
    with at_work(folder, run_id, shard):
        freeze(folder, loaded)
        left = remaining(folder, wanted)
        title = f"{study}, shard {shard}" if shard else study
        return _carry_out(folder, study, title, left, options, run_id, executor, ray_address)


def rescore(
    uri: str, names: Sequence[str], ray_address: str | None = None, executor: Executor | None = None
) -> Summary:
    """Scores every trained model of a results folder by more metrics, without training again.

    Args:
        uri: The results folder.
        names: Metrics of the catalogue; they get their default parameters and the study's seeds.
        ray_address: A running Ray cluster; by default a Ray of our own on this machine.
        executor: Who carries the work out; by default Ray.

    Raises:
        ResultsError: If there is no study.
        GridError: If a name is not in the catalogue.
        StoreError: If the folder cannot be written.
        DriverError: If another driver is at work there.
    """
    for name in names:
        if name not in METRICS:
            raise GridError(f"unknown metric '{name}'{hint(name, list(METRICS))}")
    folder = Results(uri)
    grids = frozen_grids(folder)
    check_writable(folder)
    more = [grid.model_copy(update={"metrics": only(names)}) for grid in grids]
    run_id = _new_run_id()
    with at_work(folder, run_id):
        left = remaining(folder, work(more))._replace(untrained=[])
        study = grids[0].study
        return _carry_out(folder, study, study, left, Options(), run_id, executor, ray_address)


def _options(
    loaded: Sequence[tuple[Grid, Source]], fail_fast: bool, grace_seconds: float
) -> Options:
    """How the grids together are to be run.

    Raises:
        GridError: If they do not agree on it.
    """
    (first, _), *others = loaded
    for other, source in others:
        if (other.resources, other.save_models) != (first.resources, first.save_models):
            raise GridError(
                f"{source.name}: `resources` and `save_models` differ from {loaded[0][1].name}'s; "
                "grids that are run together share them"
            )
    return Options(
        pack=first.resources.pack,
        gpus_per_pack=first.resources.gpus_per_pack,
        checkpoint_seconds=60 * first.resources.checkpoint_minutes,
        save_models=first.save_models,
        fail_fast=fail_fast,
        grace_seconds=grace_seconds,
    )


def _new_run_id() -> str:
    return uuid.uuid4().hex[:8]


def _carry_out(
    folder: Results,
    study: str,
    title: str,
    left: Remaining,
    options: Options,
    run_id: str,
    executor: Executor | None,
    ray_address: str | None,
) -> Summary:
    done, failed, total = len(left.done), len(left.failed), sum(len(group) for group in left)
    if left.nothing:
        print(f"Nothing to do: {_said(done, failed, total)}")
        return Summary(done, failed, 0, interrupted=False)
    print(f"{title}: {_said(done, failed, total)} in {folder.uri}")
    began = time.monotonic()
    executor = executor or _ray(ray_address)
    try:
        check_shared(folder.store, executor)
        with _Signals() as signals, Progress(title, sys.stdout) as progress:
            summary = Scheduler(
                folder,
                study,
                left,
                executor,
                options,
                run_id,
                signals=lambda: signals.count or is_leaving(),
                show=progress.show,
                clock=time.monotonic,
            ).run()
    finally:
        executor.shutdown()
    print(_conclusion(summary, folder, time.monotonic() - began))
    return summary


def _ray(ray_address: str | None) -> Executor:
    from ..schedule.ray import RayExecutor

    executor = RayExecutor(ray_address)
    if executor.dashboard:
        print(f"Ray's dashboard: http://{executor.dashboard}")
    return executor


def _said(done: int, failed: int, total: int) -> str:
    return f"{done} of {total} trials are done" + (f", {failed} failed" if failed else "")


def _conclusion(summary: Summary, folder: Results, seconds: float) -> str:
    total = summary.done + summary.failed + summary.missing
    words = f"{_said(summary.done, summary.failed, total)} after {duration(seconds)}."
    if summary.failed:
        words += f" See `teasel failures {folder.uri}`."
    if summary.missing:
        how = "Interrupted" if summary.interrupted else "Stopped"
        words += f" {how}: the same command goes on from here."
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
