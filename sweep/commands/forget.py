"""`teasel forget`: removes trials from a results folder, so that the next run makes them again."""

import argparse
import sys
from collections.abc import Sequence

from ...words import first_lines, format_count
from ..schedule.drivers import at_work
from ..store.forget import forget
from ..store.results import Results
from ..study.freeze import check_writable
from ..study.remaining import WantedTrial, remaining
from ..study.study import read_study, select_wanted
from ..trials.trial import Trial
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
    chosen = select_wanted(read_study(results).wanted_trials(), arguments.select)
    _show(results, chosen)
    if not arguments.yes and not _agrees():
        show("Nothing was removed (--yes removes without asking).")
        return BAD_INPUT
    check_writable(results)
    with at_work(results, new_run_id()):
        forget(results, [trial.trial_id for trial, _ in chosen])
    show(f"Removed {format_count(len(chosen), 'trial')}. Running the grid makes them again.")
    return DONE


def _show(results: Results, chosen: Sequence[WantedTrial]) -> None:
    """Prints the trials that would be removed, and their states."""
    tally = remaining(results, chosen).tally
    show(
        f"{results.uri}: {format_count(len(chosen), 'trial')}, with scores, codes and models "
        f"({tally.done:,} done, {tally.failed:,} failed; {tally.waiting})"
    )
    for line in first_lines([_describe(trial) for trial, _ in chosen], _MOST_LINES):
        show(f"  {line}")


def _describe(trial: Trial) -> str:
    values = "".join(f", {name} {value:g}" for name, value in trial.hyperparameters.items())
    return f"{trial.trial_id}: {trial.dataset}, {trial.method}{values}, seed {trial.seed}"


def _agrees() -> bool:
    """Whether the user, if there is one, confirms."""
    return sys.stdin.isatty() and input("Remove them? [y/N] ").strip().lower() in ("y", "yes")
