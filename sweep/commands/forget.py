"""`teasel forget`: removes trials from a results folder, so that the next run makes them again."""

import argparse
import sys
from collections.abc import Sequence

from ...words import format_count
from ..grid.select import select as select_trials
from ..schedule.drivers import at_work
from ..store.forget import forget
from ..store.results import Results
from ..study.freeze import check_writable
from ..study.remaining import WantedTrial, remaining
from ..study.study import read_study
from .command_line import BAD_INPUT, DONE, add_results, show
from .run import new_run_id

_MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel forget`."""
    add_results(parser)
    parser.add_argument(
        "--select",
        metavar="EXPR",
        required=True,
        help="trials to remove, e.g. 'trial_id=c33e4dd662144265' or 'method=beta_vae,beta=4'",
    )
    parser.add_argument("--yes", action="store_true", help="remove them without asking")


def main(arguments: argparse.Namespace) -> int:
    """Shows the trials, asks for confirmation and removes them."""
    results = Results(arguments.results)
    everything = read_study(results).wanted_trials()
    chosen = {
        trial.trial_id
        for trial in select_trials([trial for trial, _ in everything], arguments.select)
    }
    _show(results, [wanted for wanted in everything if wanted.trial.trial_id in chosen])
    if not arguments.yes and not _agrees():
        show("Nothing was removed (--yes removes without asking).")
        return BAD_INPUT
    check_writable(results)
    with at_work(results, new_run_id()):
        forget(results, chosen)
    show(f"Removed {format_count(len(chosen), 'trial')}. Running the grid makes them again.")
    return DONE


def _show(results: Results, chosen: Sequence[WantedTrial]) -> None:
    """Prints the trials that would be removed, and their states."""
    tally = remaining(results, chosen).tally
    show(
        f"{results.uri}: {format_count(len(chosen), 'trial')}, with scores, codes and models "
        f"({tally.done:,} done, {tally.failed:,} failed; {tally.waiting})"
    )
    for trial, _ in chosen[:_MOST_LINES]:
        values = "".join(f", {name} {value:g}" for name, value in trial.hyperparameters.items())
        show(f"  {trial.trial_id}: {trial.dataset}, {trial.method}{values}, seed {trial.seed}")
    if len(chosen) > _MOST_LINES:
        show(f"  and {len(chosen) - _MOST_LINES:,} more")


def _agrees() -> bool:
    """Whether the user, if there is one, confirms."""
    return sys.stdin.isatty() and input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
