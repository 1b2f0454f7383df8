"""`teasel plan`: what a grid stands for and what it costs, before anything is started."""

import os
from collections import Counter
from collections.abc import Sequence

from .checkpoints import latest
from .costs import cost, measured_seconds
from .grid import load_grid
from .outstanding import Outstanding, outstanding
from .packing import Slots, make_packs, memory_of
from .progress import duration
from .references import REFERENCES
from .results import Results
from .selection import select as select_trials
from .study import work
from .trials import Trial, seeds_first


def print_plan(names: Sequence[str], select: str | None, uri: str | None) -> None:
    """Prints what the grids stand for: trials, packs, programs, hours and bytes.

    Args:
        names: Packaged grids, or YAML files.
        select: Only the trials that meet these conditions.
        uri: A results folder whose finished trials are not counted again.

    Raises:
        GridError: If a grid is wrong.
        SelectionError: If the selection is wrong.
        ResultsError: If the results folder cannot be read.
    """
    grids = [load_grid(name)[0] for name in names]
    first = grids[0]
    everything = work(grids)
    trials = select_trials([trial for trial, _ in everything], select)
    chosen = {trial.trial_id for trial in trials}
    wanted = [some for some in everything if some.trial.trial_id in chosen]
    left = Outstanding(wanted, [], [], [])
    results, measured = None, {}
    if uri is not None:
        results = Results(uri)
        left, measured = outstanding(results, wanted), measured_seconds(results)
    untrained = [trial for trial, _ in left.untrained]
    print(f"{first.study}: {first.description}" if first.description else first.study)
    print(f"{len(trials):,} trials, {len({trial.setting for trial in trials}):,} settings")
    if results is not None:
        print(
            f"  {len(left.done):,} done, {len(left.unscored):,} trained but not scored, "
            f"{len(left.failed):,} failed, {len(left.untrained):,} to train"
        )
    _print_counts("data set", Counter(trial.dataset for trial in trials))
    _print_counts("method", Counter(trial.method for trial in trials))
    slots = os.cpu_count() or 1
    saved = latest(results) if results is not None else {}
    packs = make_packs(seeds_first(untrained), saved, first.resources.pack, Slots(slots))
    programs = {trial.program for trial in untrained}
    print(f"{len(packs):,} packs for {slots} CPU cores, {len(programs):,} programs to compile")
    trained = [pack.trials for pack in packs if pack.trials[0].method not in REFERENCES]
    if trained:
        _print_memory(max(trained, key=len))
    print(f"{sum(len(requests) for _, requests in wanted):,} metric runs")
    bill = cost(left.untrained, left.unscored, first.save_models, measured)
    seconds = bill.train_seconds + bill.score_seconds
    origin = "medians of this results folder" if measured else "rates of one CPU core"
    print(
        f"about {_hours(bill.train_seconds)} core-hours to train, {_hours(bill.score_seconds)} to "
        f"score ({origin}): {duration(seconds / slots)} on {slots} cores"
    )
    print(f"about {bill.num_bytes / 1e9:,.2f} GB of results")


def _print_counts(what: str, counts: Counter[str]) -> None:
    print(f"  by {what}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))


def _print_memory(trials: Sequence[Trial]) -> None:
    """What the largest pack needs here, and what it would need on an accelerator."""
    for where, on_cpu in (("a CPU", True), ("an accelerator", False)):
        memory = memory_of(trials[0], len(trials), on_cpu)
        print(
            f"memory on {where}: data {_mib(memory.data)}; a model "
            f"{_mib(memory.parameters + memory.optimizer)}, its step {_mib(memory.activations)}"
            f"{', one at a time' if on_cpu else ''}; a pack of {len(trials)} {_mib(memory.total)}"
        )


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.0f} MiB"


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}"
