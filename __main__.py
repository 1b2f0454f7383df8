"""The command line: one function per command, each importing only what it needs.

Exit codes: 0 done, 1 some trials failed, 2 bad usage or grid, 3 interrupted and resumable.
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import TeaselError, __version__

if TYPE_CHECKING:
    from .sweep.schedule.scheduler import Summary

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; what is wrong with its input is one message and exit code 2."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return INTERRUPTED
    except TeaselError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="teasel",
        description="Train, score and analyse disentanglement studies from one YAML grid.",
        epilog="GRID is the name of a packaged grid (quickstart, locatello2019, ...) or a file.",
    )
    parser.add_argument("--version", action="version", version=f"teasel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    plan = commands.add_parser("plan", help="say what a grid stands for, and what it costs")
    _add_grid(plan)
    plan.add_argument("--results", metavar="DIR", help="count what is done there already")
    plan.add_argument("--address", metavar="RAY", help="plan for this running Ray cluster")
    plan.set_defaults(command=_plan)

    run = commands.add_parser("run", help="do what is missing of a grid")
    _add_grid(run)
    run.add_argument("--results", metavar="DIR", help="folder or URI (default: results/STUDY)")
    run.add_argument("--address", metavar="RAY", help="a running Ray cluster's address")
    run.add_argument(
        "--shard", metavar="N/COUNT", help="only this shard, as in 3/10; other drivers do the rest"
    )
    failing = run.add_mutually_exclusive_group()
    failing.add_argument(
        "--keep-going", action="store_true", help="go on with the rest after a failure (default)"
    )
    failing.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    run.add_argument(
        "--grace",
        metavar="SECONDS",
        type=_at_least(0, float),
        default=60.0,
        help="how long workers may take to save when interrupted (default: 60)",
    )
    run.set_defaults(command=_run)

    for name, command, what in (
        ("status", _status, "say how far a study is"),
        ("failures", _failures, "show what failed, grouped by exception"),
        ("compact", _compact, "fold the many small files of a results folder into few"),
    ):
        entry = commands.add_parser(name, help=what)
        entry.add_argument("results", metavar="DIR", help="the results folder")
        entry.set_defaults(command=command)

    verify = commands.add_parser("verify", help="look for what is damaged, missing or double")
    verify.add_argument("results", metavar="DIR", help="the results folder")
    verify.add_argument(
        "--quarantine",
        action="store_true",
        help="put aside what is damaged, so that a run makes it again",
    )
    verify.set_defaults(command=_verify)

    top = commands.add_parser("top", help="list the models that score best")
    top.add_argument("results", metavar="DIR", help="the results folder")
    top.add_argument("--metric", required=True, help="mig, dci_disentanglement, sap, elbo, ...")
    top.add_argument("--dataset", metavar="NAME", help="only models of this data set")
    top.add_argument("--representation", choices=("mean", "sampled"), default="mean")
    top.add_argument(
        "--num", metavar="N", type=_at_least(1, int), default=10, help="how many (default: 10)"
    )
    top.set_defaults(command=_top)

    rescore = commands.add_parser("rescore", help="score trained models by more metrics")
    rescore.add_argument("results", metavar="DIR", help="the results folder")
    rescore.add_argument("--metrics", metavar="NAMES", required=True, help="joined by commas")
    rescore.add_argument("--address", metavar="RAY", help="a running Ray cluster's address")
    rescore.set_defaults(command=_rescore)

    methods = commands.add_parser("methods", help="list the methods and their hyper-parameters")
    methods.set_defaults(command=_methods)

    metrics = commands.add_parser("metrics", help="list the metrics and their parameters")
    metrics.set_defaults(command=_metrics)

    data = commands.add_parser("data", help="list the data sets, or prepare one")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="say what is there, what is missing, how to get it")
    listing.set_defaults(command=_data_list)
    prepare = actions.add_parser("prepare", help="download or draw a data set into the cache")
    prepare.add_argument("name", metavar="NAME", help="a data set of the catalogue")
    prepare.set_defaults(command=_data_prepare)

    report = commands.add_parser("report", help="write a study's report, one HTML page")
    report.add_argument("results", metavar="DIR", help="the results folder")
    report.add_argument("--output", metavar="FILE", help="where to (default: DIR/report.html)")
    report.add_argument("--published", metavar="JSON", help="published numbers of your own")
    report.add_argument(
        "--export",
        metavar="FOLDER",
        help="instead, write its scores (Parquet) and the report as Markdown there, to commit",
    )
    report.set_defaults(command=_report)

    submit = commands.add_parser("submit", help="run a grid on Slurm, Kubernetes or a Ray cluster")
    targets = submit.add_subparsers(dest="target", metavar="TARGET", required=True)
    for name, what in (
        ("slurm", "one job, or an array of them, that goes back into the queue until all is done"),
        ("kuberay", "a KubeRay RayJob"),
        ("ray-job", "a job of a running Ray cluster"),
    ):
        target = targets.add_parser(name, help=what, description=what)
        _add_grid(target, nargs="*")
        target.add_argument("--cluster", metavar="FILE", help="what to ask of the cluster")
        target.add_argument(
            "--results", metavar="DIR", help="folder or URI (default: FILE's, or results/STUDY)"
        )
        target.add_argument("--example", action="store_true", help="print a FILE to start from")
        target.add_argument("--print", action="store_true", help="print what would be submitted")
        target.add_argument("--dry-run", action="store_true", help="check it, submit nothing")
        target.set_defaults(command=_submit, parser=target)
    return parser


def _add_grid(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    parser.add_argument(
        "grid", metavar="GRID", nargs=nargs, help="a packaged grid's name, or a file"
    )
    parser.add_argument(
        "--select", metavar="EXPR", help="only these trials, as in 'method=beta_vae,seed<5'"
    )


def _at_least(least: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    """The type of an argument that must not be less."""

    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if (value := kind(text)) >= least:
                return value
        raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")

    return parse


def _plan(arguments: argparse.Namespace) -> int:
    from .sweep.commands.plan import print_plan

    print_plan(arguments.grid, arguments.select, arguments.results, arguments.address)
    return DONE


def _run(arguments: argparse.Namespace) -> int:
    from .sweep.commands.run import run
    from .sweep.study.shards import Shard

    summary = run(
        arguments.grid,
        results=arguments.results,
        select=arguments.select,
        ray_address=arguments.address,
        fail_fast=arguments.fail_fast,
        grace_seconds=arguments.grace,
        shard=Shard.parse(arguments.shard) if arguments.shard else None,
    )
    return _exit_code(summary)


def _rescore(arguments: argparse.Namespace) -> int:
    from .sweep.commands.run import rescore

    names = arguments.metrics.split(",")
    return _exit_code(rescore(arguments.results, names, ray_address=arguments.address))


def _exit_code(summary: "Summary") -> int:
    if summary.interrupted and summary.missing:
        return INTERRUPTED
    return FAILED if summary.failed or summary.missing else DONE


def _methods(arguments: argparse.Namespace) -> int:
    from .sweep.commands.listing import print_methods

    print_methods()
    return DONE


def _metrics(arguments: argparse.Namespace) -> int:
    from .sweep.commands.listing import print_metrics

    print_metrics()
    return DONE


def _status(arguments: argparse.Namespace) -> int:
    from .sweep.commands.status import print_status

    print_status(arguments.results)
    return DONE


def _failures(arguments: argparse.Namespace) -> int:
    from .sweep.commands.status import print_failures

    print_failures(arguments.results)
    return DONE


def _compact(arguments: argparse.Namespace) -> int:
    from .sweep.commands.compact import print_compacted

    print_compacted(arguments.results)
    return DONE


def _verify(arguments: argparse.Namespace) -> int:
    from .sweep.commands.verify import print_verified

    return DONE if print_verified(arguments.results, arguments.quarantine) else FAILED


def _top(arguments: argparse.Namespace) -> int:
    from .analysis.top import print_top

    print_top(
        arguments.results,
        metric=arguments.metric,
        dataset=arguments.dataset,
        representation=arguments.representation,
        num_models=arguments.num,
    )
    return DONE


def _data_list(arguments: argparse.Namespace) -> int:
    from .sweep.commands.listing import print_list

    print_list()
    return DONE


def _data_prepare(arguments: argparse.Namespace) -> int:
    from .sweep.commands.listing import prepare

    prepare(arguments.name)
    return DONE


def _report(arguments: argparse.Namespace) -> int:
    from .analysis import export, write_report

    if arguments.export:
        page = export(arguments.results, arguments.export, more=arguments.published)
    else:
        page = write_report(arguments.results, arguments.output, more=arguments.published)
    print(f"The report is at {page}")
    return DONE


def _submit(arguments: argparse.Namespace) -> int:
    from .cluster import example, submit

    if arguments.example:
        print(example(arguments.target), end="")
        return DONE
    if not arguments.grid or not arguments.cluster:
        arguments.parser.error("GRID and --cluster FILE are needed; --example prints such a file")
    submit(
        arguments.target,
        arguments.grid,
        arguments.cluster,
        results=arguments.results,
        select=arguments.select,
        show=arguments.print,
        dry_run=arguments.dry_run,
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
