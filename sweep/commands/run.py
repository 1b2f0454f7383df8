"""`teasel run`: turns grids into a finished results folder."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from ...errors import ConfigError
from ...words import format_count
from ..grid.grid import Grid, GridName, load_grid
from ..grid.source import Source
from ..schedule.drivers import DriverError, at_work
from ..schedule.executor import Executor, check_shared
from ..schedule.preflight import look_before
from ..schedule.progress import Progress, describe_saved, duration
from ..schedule.scheduler import Options, Scheduler, Summary
from ..store.forget import forget, forget_undefined, take_back
from ..store.results import Results
from ..study.divide import take_shard
from ..study.freeze import check_writable, freeze, join_study
from ..study.remaining import Remaining, Tally, remaining
from ..study.shards import Shard
from ..study.study import select_wanted, wanted_trials
from ..trials.trial import Trial
from ..work.machine import is_leaving
from ..work.preflight import find_faults
from .command_line import DONE, FAILED, INTERRUPTED, add_grids, add_ray, at_least

if TYPE_CHECKING:
    from ..schedule.ray import RayExecutor

logger = logging.getLogger("teasel")

LOST_SIGNALS = {s for s in signal.Signals if s.name in ("SIGHUP", "SIGQUIT", "SIGXCPU")}
"""Signals of a closed terminal, of its quit key and of a limit on CPU time."""

TRIALS_DONE = "trials are done"
"""What a run counts. A rescoring counts models."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel run`."""
    add_grids(parser)
    parser.add_argument("--results", metavar="DIR", help="folder or URI (default: results/STUDY)")
    add_ray(parser)
    parser.add_argument(
        "--shard", metavar="N/COUNT", help="only this shard, e.g. 3/10; other drivers run the rest"
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="run failed trials again, and compute undefined scores again",
    )
    failing = parser.add_mutually_exclusive_group()
    failing.add_argument(
        "--keep-going", action="store_true", help="continue with the rest after a failure (default)"
    )
    failing.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=at_least(0, float),
        default=60.0,
        help="time that workers get to save when interrupted (default: 60)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Runs the grids and shows the progress."""
    summary = run(
        arguments.grid,
        results=arguments.results,
        select=arguments.select,
        ray_address=arguments.address,
        fail_fast=arguments.fail_fast,
        grace_seconds=arguments.grace,
        shard=Shard.parse(arguments.shard) if arguments.shard else None,
        retry_failed=arguments.retry_failed,
        progress=None if arguments.level > logging.INFO else sys.stdout,
        changes=arguments.set,
    )
    return exit_code(summary)


def exit_code(summary: Summary) -> int:
    """The exit code for the outcome of a run."""
    if summary.interrupted and summary.missing:
        return INTERRUPTED
    return FAILED if summary.failed or summary.missing else DONE


def run(
    names: GridName | Sequence[GridName],
    results: str | Path | None = None,
    select: str | None = None,
    ray_address: str | None = None,
    fail_fast: bool = False,
    grace_seconds: float = 60.0,
    shard: Shard | None = None,
    executor: Executor | None = None,
    progress: IO[str] | None = None,
    retry_failed: bool = False,
    changes: Sequence[str] = (),
) -> Summary:
    """Trains and scores what is missing from some grids, and returns the outcome.

    Messages go to ``logging.getLogger("teasel")``.

    Args:
        names: A packaged grid, a YAML file or a dict of the same keys; or several of one study.
        results: Folder or URI; by default ``results/<study>`` below the current folder.
        select: Only the trials that meet these conditions.
        ray_address: A running Ray cluster; by default Ray is started on this machine.
        fail_fast: Save and stop as soon as a trial has failed.
        grace_seconds: The time that workers get to save when interrupted.
        shard: Only this shard of the trials; other drivers run the others.
        executor: What executes the tasks; by default Ray.
        progress: Where to show the progress; by default nowhere.
        retry_failed: Forget failed trials and undefined scores, so that they are made again. Not
            allowed with a shard, because it rewrites files that all shards share.
        changes: Changes to values in the grids, each like ``training.steps=1000``.

    Raises:
        ConfigError: If a grid is wrong, or names something that is not installed. Nothing is
            written then.
        PreflightError: If a method cannot be traced or a data set cannot be opened. Nothing is
            written then.
        ResultsError: If the folder holds another study. Nothing is written then.
        DriverError: If another driver is at work on these trials, or perhaps on what is to be
            forgotten. Nothing is written then.
        StoreError: If the folder cannot be written.
        SelectionError: If the selection is wrong.
        ClusterError: If there is no Ray, or its nodes do not share the folder.
        DemandError: If no machine can place the work.
    """
    if retry_failed and shard is not None:
        raise DriverError(
            "--retry-failed rewrites files that the drivers of all shards use: stop them, and run "
            "it once without --shard"
        )
    loaded = [
        load_grid(name, changes)
        for name in ([names] if isinstance(names, str | Path | Mapping) else names)
    ]
    grids = [grid for grid, _ in loaded]
    options = _choose_options(loaded, fail_fast, grace_seconds)
    study = grids[0].study
    folder = Results(results or f"results/{study}")
    wanted = select_wanted(wanted_trials(grids), select)
    chosen = {trial.trial_id for trial, _ in wanted}
    if shard is not None:
        wanted = take_shard(wanted, shard)
    join_study(loaded, folder)  # raises if they cannot be run there
    before = remaining(folder, wanted) if folder.exists() else Remaining(wanted, [], [], [])
    with look_and_start(before, executor, ray_address) as ready:
        folder.store.make()
        check_writable(folder)
        run_id = new_run_id()
        with at_work(folder, run_id, shard):
            freeze(folder, loaded)
            left = remaining(folder, wanted)
            if retry_failed:
                forget(folder, {trial.trial_id for trial in left.failed})
                forget_undefined(folder, chosen)
                left = remaining(folder, wanted)
            title = f"{study}, shard {shard}" if shard else study
            return carry_out(
                folder, study, title, left, options, run_id, ready, ray_address, progress
            )


@contextlib.contextmanager
def look_and_start(
    left: Remaining, executor: Executor | None, ray_address: str | None
) -> Iterator[Executor | None]:
    """Checks the methods and data sets of the remaining work, before anything is written.

    Gives the executor to use, or None if Ray is still to be started on this machine. A cluster is
    connected here already, because its nodes do the checks as their first task.

    Raises:
        PreflightError: If a method or a data set cannot be used.
        ClusterError: If there is no Ray at the address.
    """
    with contextlib.ExitStack() as stack:
        if executor is not None:
            look_before(left, find_faults)
        elif not left.is_empty and (address := ray_address or os.environ.get("RAY_ADDRESS")):
            executor = cluster = _start_ray(address)
            stack.callback(cluster.shutdown)
            look_before(left, cluster.find_faults)
        else:
            look_before(left)
        yield executor


def _choose_options(
    loaded: Sequence[tuple[Grid, Source]], fail_fast: bool, grace_seconds: float
) -> Options:
    """The options for running the grids together.

    Raises:
        ConfigError: If the grids do not agree on them.
    """
    (first, _), *others = loaded
    for other, source in others:
        if (other.resources, other.save_models) != (first.resources, first.save_models):
            raise ConfigError(
                f"{source.name}: `resources` or `save_models` differs from {loaded[0][1].name}'s. "
                "Grids that run together must agree on both"
            )
    return Options(
        pack=first.resources.pack,
        gpus_per_pack=first.resources.gpus_per_pack,
        checkpoint_seconds=60 * first.resources.checkpoint_minutes,
        patience_seconds=60 * first.resources.task_minutes,
        deterministic=first.resources.deterministic,
        save_models=first.save_models,
        fail_fast=fail_fast,
        grace_seconds=grace_seconds,
    )


def new_run_id() -> str:
    """A unique name for a run, used in the names of its files."""
    return uuid.uuid4().hex[:8]


def carry_out(
    folder: Results,
    study: str,
    title: str,
    left: Remaining,
    options: Options,
    run_id: str,
    executor: Executor | None,
    ray_address: str | None,
    progress: IO[str] | None,
    of: str = TRIALS_DONE,
) -> Summary:
    """Does the remaining work of a study and returns the outcome. Messages count `of`."""
    tally = left.tally
    if left.is_empty:
        logger.info("Nothing to do: %s", tally.say(of))
        return Summary(tally.done, tally.failed, 0, interrupted=False)
    if of == TRIALS_DONE:
        logger.info("%s: %s in %s", title, tally.say(of), folder.uri)
    else:
        models = format_count(len(left.unscored), "model")
        logger.info("%s: %s to score in %s", title, models, folder.uri)
    if left.given_up:
        logger.info("Trying %d failed trials again", len(left.given_up))
        take_back(folder, left.given_up)
    began = time.monotonic()
    executor = executor or _start_ray(ray_address)
    shown = Progress(title, progress) if progress else None
    try:
        check_shared(folder.store, executor)
        with _count_signals() as signals, shown or contextlib.nullcontext():
            summary = Scheduler(
                folder,
                study,
                left,
                executor,
                options,
                run_id,
                signals=lambda: len(signals) or is_leaving(),
                show=shown.show if shown else lambda snapshot: None,
                clock=time.monotonic,
            ).run()
    finally:
        executor.shutdown()
    untrained = [trial for trial, _ in left.untrained]
    logger.info(_conclude(summary, folder, untrained, time.monotonic() - began, of))
    return summary


def _start_ray(ray_address: str | None) -> "RayExecutor":
    from ..schedule.ray import RayExecutor

    executor = RayExecutor(ray_address)
    if executor.dashboard:
        logger.info("Ray's dashboard: http://%s", executor.dashboard)
    return executor


def _conclude(
    summary: Summary, folder: Results, untrained: Sequence[Trial], seconds: float, of: str
) -> str:
    tally = Tally(summary.done, summary.failed, summary.missing, 0)
    words = f"{tally.say(of)} after {duration(seconds)}."
    if summary.failed:
        words += f" See `teasel failures {folder.uri}`."
    if summary.missing:
        how = "Interrupted" if summary.interrupted else "Stopped"
        trained = folder.statuses()
        saved = describe_saved(folder, (t for t in untrained if t.trial_id not in trained))
        words += f" {saved}." if saved else ""
        words += f" {how}: the same command resumes from here."
    return words


@contextlib.contextmanager
def _count_signals() -> Iterator[list[int]]:
    """Collects the signals that request a stop, without ending the process.

    Only a program's main thread can handle signals; in other threads the list stays empty. A signal
    that `nohup` has made the process ignore stays ignored.
    """
    taken: list[int] = []

    def take(number: int, frame: FrameType | None) -> None:
        taken.append(number)

    is_main = threading.current_thread() is threading.main_thread()
    numbers = {signal.SIGINT, signal.SIGTERM}
    numbers |= {n for n in LOST_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN}
    before = {number: signal.signal(number, take) for number in (numbers if is_main else ())}
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
