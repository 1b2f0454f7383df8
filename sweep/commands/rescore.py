"""`teasel rescore`: scores the models of a results folder with more metrics."""

import argparse
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from ...datasets import DATASETS
from ...errors import UnknownNameError
from ...metrics import COMPARISONS, METRICS, is_enough
from ...words import format_count
from ..grid.expand import Cell, Resolved, trials_of
from ..schedule.drivers import at_work
from ..schedule.executor import Executor
from ..schedule.scheduler import Options, Summary
from ..store.results import Results
from ..study.catalogue import CatalogueSection
from ..study.comparisons import FEWEST_PARTNERS, add_comparisons
from ..study.freeze import check_writable, freeze_metrics
from ..study.remaining import Remaining, WantedTrial, remaining
from ..study.study import merge, read_study
from ..trials.data import offers
from ..trials.references import REFERENCES, select_requests
from ..trials.request import MetricRequest
from .command_line import add_metrics, add_ray, add_results
from .run import carry_out, exit_code, look_and_start, new_run_id

logger = logging.getLogger("teasel")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel rescore`."""
    add_results(parser)
    add_metrics(parser, "names from `teasel list metrics`, or udr", required=True)
    add_ray(parser)


def main(arguments: argparse.Namespace) -> int:
    """Scores the models and shows the progress."""
    progress = None if arguments.level > logging.INFO else sys.stdout
    summary = rescore(
        arguments.results, arguments.metrics, ray_address=arguments.address, progress=progress
    )
    return exit_code(summary)


def rescore(
    results: str | Path,
    names: Sequence[str],
    ray_address: str | None = None,
    executor: Executor | None = None,
    progress: IO[str] | None = None,
) -> Summary:
    """Scores every trained model of a results folder with more metrics, without training again.

    Messages go to ``logging.getLogger("teasel")``.

    Args:
        results: The results folder.
        names: Metrics in the catalogue. They get their default parameters and the paper's seeds.
        ray_address: A running Ray cluster; by default Ray is started on this machine.
        executor: What executes the tasks; by default Ray.
        progress: Where to show the progress; by default nowhere.

    Raises:
        PreflightError: If a data set cannot be opened. Nothing is written then.
        UnknownNameError: If a metric, or a data set or a reference of the study, is not installed.
        ResultsError: If there is no study.
        StoreError: If the folder cannot be written.
        DriverError: If another driver is at work there.
    """
    for name in names:
        if name not in {*METRICS, *COMPARISONS}:
            raise UnknownNameError("metric", name, [*METRICS, *COMPARISONS])
    folder = Results(results)
    study = read_study(folder)
    everything = merge((trials_of(grid), _requests_of(grid, names)) for grid in study.grids)
    methods = study.catalogue["methods"]
    everything = add_comparisons(everything, names, statuses := folder.statuses(), methods)
    for name in COMPARISONS.keys() & set(names):
        own = [wanted for wanted in everything if methods[wanted.trial.method]["trained"]]
        _say_what_stands_alone(name, own, statuses)
    left = _unscored(folder, everything)
    _check_installed(left.unscored, study.catalogue)
    with look_and_start(left, executor, ray_address) as ready:
        check_writable(folder)
        run_id = new_run_id()
        with at_work(folder, run_id):
            left = _unscored(folder, everything)
            freeze_metrics(folder, names)
            return carry_out(
                folder,
                study.name,
                f"{study.name}, {', '.join(names)}",
                left,
                Options(),
                run_id,
                ready,
                ray_address,
                progress,
                of="trained models are scored",
            )


def _say_what_stands_alone(
    name: str, wanted: Iterable[WantedTrial], statuses: Mapping[str, str]
) -> None:
    """Warns how many trained models a comparison leaves out, and why."""
    done = [requests for trial, requests in wanted if statuses.get(trial.trial_id) == "done"]
    alone = sum(all(request.metric != name for request in requests) for requests in done)
    if alone:
        logger.warning(
            "%s: not computed for %s of %d: it compares at least %d trained seeds of a setting",
            name,
            format_count(alone, "model"),
            len(done),
            FEWEST_PARTNERS + 1,
        )


def _unscored(folder: Results, everything: Sequence[WantedTrial]) -> Remaining:
    """The trained models that lack scores."""
    left = remaining(folder, everything)
    untrained = {trial.trial_id for trial, _ in left.untrained}
    return left._replace(untrained=[], given_up=left.given_up - untrained)


def _requests_of(grid: Resolved, names: Sequence[str]) -> dict[Cell, list[MetricRequest]]:
    """The scores that the models of each data set and method need for these metrics."""
    requests = [
        request
        for kind in grid["representations"]
        for name in METRICS
        if name in names and (kind == grid["representations"][0] or not METRICS[name].of_model)
        for request in MetricRequest.of(
            kind, name, METRICS[name].defaults, grid["metric_seed"]
        ).repeat(grid.get("metric_seeds", 1))
    ]
    found: dict[Cell, list[MetricRequest]] = {}
    for data in grid["datasets"]:
        offered = offers(data)
        possible = [r for r in requests if is_enough(offered, METRICS[r.metric].needs)]
        lacking = sorted({r.metric for r in requests} - {r.metric for r in possible})
        if lacking:
            logger.warning(
                "%s: not computed on %s, which offers %s", ", ".join(lacking), data["name"], offered
            )
        for method in grid["methods"]:
            found[data["name"], method] = list(select_requests(method, possible))
    return found


def _check_installed(unscored: Iterable[WantedTrial], names: CatalogueSection) -> None:
    """Checks for what scoring these trials needs: images, and the codes of references.

    Raises:
        UnknownNameError: If a data set or a reference is not installed.
    """
    for trial, _ in unscored:
        if trial.file is None and trial.catalogued not in DATASETS:
            raise UnknownNameError("data set", trial.catalogued, DATASETS, *_ADVICE)
        has_parameters = "parameters" in names["methods"][trial.method]["keeps"]
        if not has_parameters and trial.method not in REFERENCES:
            raise UnknownNameError("reference", trial.method, REFERENCES, *_ADVICE)


_ADVICE = ("of this study", "install the package that adds it")
