"""`teasel plan`: shows what a grid contains and what it will cost, before anything starts."""

import argparse
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...words import format_count
from ..grid.grid import load_grid
from ..schedule.preflight import look_before
from ..schedule.progress import duration
from ..store.checkpoints import furthest_by_trial
from ..store.results import Results
from ..study.costs import ON_ACCELERATOR, ON_CPU, Cost, cell_of, cost, measured_seconds
from ..study.devices import DEVICES, plan_device
from ..study.freeze import join_study
from ..study.packing import Slots, make_packs, memory_of
from ..study.remaining import Remaining, remaining
from ..study.study import select_wanted, wanted_trials
from ..trials.references import REFERENCES
from ..trials.trial import Trial, seeds_first
from ..work.preflight import Look, MissingFilesError
from ..work.tasks import Demand
from .command_line import DONE, Report, add_grids, add_json, add_ray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel plan`."""
    add_grids(parser)
    parser.add_argument(
        "--results", metavar="DIR", help="subtract what is already done in this folder"
    )
    add_ray(parser)
    parser.add_argument(
        "--device",
        choices=DEVICES,
        help="also estimate memory and time to train on this accelerator",
    )
    add_json(parser)


class Cluster(NamedTuple):
    """The machines that a plan is made for.

    Attributes:
        machines: What each machine offers.
        accelerator_bytes: The memory available to a pack on an accelerator.
        missing: The data set files that are missing.
    """

    machines: list[Demand]
    accelerator_bytes: int | None
    missing: MissingFilesError | None = None


def main(arguments: argparse.Namespace) -> int:
    """Prints what the grids contain and cost: trials, packs, programs, hours and bytes.

    Raises:
        ConfigError: If a grid is wrong.
        SelectionError: If the selection is wrong.
        ResultsError: If the grids cannot share a results folder, or the folder cannot be read.
        PreflightError: If a method cannot be traced, or a file of a data set is wrong. Nothing is
            printed then.
        MissingFilesError: If the only problem is that files of published data sets are missing.
            The plan is printed first.
        ClusterError: If there is no Ray at the address.
    """
    loaded = [load_grid(name, arguments.set) for name in arguments.grid]
    results = None if arguments.results is None else Results(arguments.results)
    join_study(loaded, results)  # raises if they cannot be run there
    grids = [grid for grid, _ in loaded]
    first = grids[0]
    wanted = select_wanted(wanted_trials(grids), arguments.select)
    trials = [trial for trial, _ in wanted]
    left = Remaining(wanted, [], [], []) if results is None else remaining(results, wanted)
    untrained = [trial for trial, _ in left.untrained]
    share = first.resources.gpus_per_pack
    address = arguments.address
    cluster = _here(left) if address is None else _cluster(address, left, share)
    report = Report(arguments.json)
    report.add(
        f"{first.study}: {first.description}" if first.description else first.study,
        study=first.study,
        description=first.description,
    )
    settings = len({trial.setting for trial in trials})
    report.add(
        f"{format_count(len(trials), 'trial')}, {format_count(settings, 'setting')}",
        num_trials=len(trials),
        num_settings=settings,
    )
    if results is not None:
        tally = left.tally
        report.add(
            f"  {tally.done:,} done, {tally.unscored:,} trained but not scored, "
            f"{tally.failed:,} failed, {tally.untrained:,} to train",
            trials=tally,
        )
    for what, name in (("data set", "dataset"), ("method", "method")):
        counts = Counter(getattr(trial, name) for trial in trials)
        words = ", ".join(f"{each} {count:,}" for each, count in counts.items())
        report.add(f"  by {what}: {words}", **{f"by_{name}": counts})
    left_out = list(dict.fromkeys(line for grid in grids for line in grid.left_out()))
    report.add("\n".join(f"  {line}" for line in left_out), left_out=left_out)
    cores = int(sum(machine.cpus for machine in cluster.machines))
    demand = Demand(gpus=share if any(machine.gpus for machine in cluster.machines) else 0.0)
    slots = sum(machine.holds(demand) for machine in cluster.machines)
    memory = cluster.accelerator_bytes
    saved = furthest_by_trial(results) if results is not None else {}
    room = Slots(max(1, slots), memory)
    packs = make_packs(seeds_first(untrained), saved, first.resources.pack, room)
    # On an accelerator a pack of another size is another program.
    programs = {(pack.trials[0].program, memory and len(pack.trials)) for pack in packs}
    counts = format_count(len(packs), "pack"), format_count(len(programs), "program")
    report.add(f"{', '.join(counts)} to compile", num_packs=len(packs), num_programs=len(programs))
    _add_places(report, cluster.machines, demand, slots)
    trained = [pack.trials for pack in packs if pack.trials[0].method not in REFERENCES]
    if trained:
        _add_memory(report, max(trained, key=len))
    if trained and arguments.device:
        _add_device(report, arguments.device, [trial for pack in trained for trial in pack])
    runs = sum(len(requests) for _, requests in wanted)
    report.add(f"{runs:,} metric runs", num_metric_runs=runs)
    measured = measured_seconds(results, on_cpu=not demand.gpus) if results is not None else {}
    rates = ON_ACCELERATOR if demand.gpus else ON_CPU
    bill = cost(left.untrained, left.unscored, first.save_models, measured, rates)
    cells = {cell_of(trial) for trial in untrained if trial.training.steps}
    if demand.gpus and not cells <= measured.keys():
        report.add(
            f"about {_hours(bill.score_seconds)} core-hours to score; training time is unknown "
            "until\n  each data set and method has trained a pack on an accelerator here",
            cost=bill._replace(train_seconds=math.nan)._asdict() | {"seconds": None},
        )
    else:
        places = max(1, slots) if demand.gpus else None
        _add_hours(report, bill, bool(measured), places, max(1, cores))
    report.add(
        f"about {bill.num_bytes / 1e9:,.2f} GB of results",
        missing=str(cluster.missing) if cluster.missing else None,
    )
    report.end()
    if cluster.missing:
        raise cluster.missing
    return DONE


def _here(left: Remaining) -> Cluster:
    """This machine, after it has checked the methods and the data sets."""
    return Cluster([Demand(cpus=os.cpu_count() or 1)], None, _find_missing(left))


def _cluster(ray_address: str, left: Remaining, share: float) -> Cluster:
    """A running cluster, after its nodes have checked the methods and the data sets."""
    from ..schedule.ray import RayExecutor

    executor = RayExecutor(ray_address)
    try:
        missing = _find_missing(left, executor.find_faults)
        return Cluster(executor.machines(), executor.accelerator_bytes(share), missing)
    finally:
        executor.shutdown()


def _find_missing(
    left: Remaining, find: Callable[[Look], list[str]] | None = None
) -> MissingFilesError | None:
    try:
        look_before(left, find, open_data=False)
    except MissingFilesError as missing:
        return missing
    return None


def _add_places(report: Report, machines: Sequence[Demand], demand: Demand, slots: int) -> None:
    """Adds whether packs can be placed, and how many at a time."""
    need = f"{demand.cpus:g} CPU" + (f" and {demand.gpus:g} accelerator" if demand.gpus else "")
    cpus, gpus = (sum(getattr(each, kind) for each in machines) for kind in ("cpus", "gpus"))
    offer = f"{len(machines)} machine{'s' * (len(machines) != 1)} with {cpus:g} CPUs"
    offer += f" and {gpus:g} accelerators" if gpus else ""
    answer = f"{slots:,} at a time" if slots else "no machine can place one"
    report.add(
        f"  a pack needs {need}: {answer}, on {offer}",
        packs_at_a_time=slots,
        num_machines=len(machines),
        num_cpus=cpus,
        num_accelerators=gpus,
    )


def _add_hours(report: Report, bill: Cost, measured: bool, slots: int | None, cores: int) -> None:
    """Adds the time needed, on cores alone or on accelerators while cores score."""
    if slots is None:
        unit, where = "core-hours", f"{cores} cores"
        seconds = (bill.train_seconds + bill.score_seconds) / cores
    else:
        unit, where = "pack-hours", f"accelerators, {slots} packs at a time, and {cores} cores"
        seconds = max(bill.train_seconds / slots, bill.score_seconds / cores)
    origin = "medians of this results folder" if measured else "rates of one CPU core"
    report.add(
        f"about {_hours(bill.train_seconds)} {unit} to train, {_hours(bill.score_seconds)} "
        f"core-hours to score ({origin}): {duration(seconds)} on {where}",
        cost=bill._asdict() | {"seconds": seconds},
    )


def _add_memory(report: Report, trials: Sequence[Trial]) -> None:
    """Adds the memory that the largest pack needs on a CPU and on an accelerator."""
    for where, platform in (("a CPU", "cpu"), ("an accelerator", "gpu")):
        memory = memory_of(trials[0], len(trials), platform)
        report.add(
            f"memory on {where}: data {_mib(memory.data)}; a model "
            f"{_mib(memory.parameters + memory.optimizer)}, its step {_mib(memory.activations)}"
            f"{', one at a time' if platform == 'cpu' else ''}; "
            f"a pack of {len(trials)}: {_mib(memory.total)}",
            **{f"memory_on_{platform}": memory._asdict() | {"total": memory.total}},
        )


def _add_device(report: Report, name: str, trials: Sequence[Trial]) -> None:
    """Adds an estimate for an accelerator that need not be present."""
    device = DEVICES[name]
    found = plan_device(device, trials)
    report.add(
        f"on one {name}: packs of up to {found.pack_size}, which take {_mib(found.pack_bytes)} of "
        f"{_mib(device.memory)}; a model-step moves {found.step_bytes / 1e6:,.0f} MB",
        device=found._asdict() | {"name": name},
    )
    rate = "no speed was measured on this device"
    if found.seconds_as_measured is not None:
        rate = f"{_hours(found.seconds_as_measured)} at the speed measured on one"
    report.add(
        f"  {_hours(found.seconds_at_best)} hours to train at its bandwidth of "
        f"{device.bandwidth / 1e12:g} TB/s; {rate}"
    )


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.0f} MiB"


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}"
