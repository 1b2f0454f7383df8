"""The command line: `teasel COMMAND`.

A command of a sweep has its module in `sweep/commands`, which is imported when it is asked for.
Here stand the commands of the floors above, which print what a function returns.

Exit codes: see `EXIT_CODES`.
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from importlib import import_module
from typing import IO, Any, cast

from .errors import TeaselError
from .sweep.commands.command_line import (
    BAD_INPUT,
    BUG,
    DONE,
    EXIT_CODES,
    INTERRUPTED,
    Command,
    add_grids,
    add_results,
    at_least,
    show,
)
from .sweep.schedule.display import Display
from .version import __version__

DRIVERS = ("run", "rescore")
"""The commands whose work matters more than what they print."""

RENAMED_OPTIONS = {"--share": "--shard"}
"""Options of earlier versions, and what they are called now."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, and returns its exit code; output that cannot be written ends nothing."""
    for number in range(3):  # one that is closed would become the first file that is opened
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = (s or open(os.devnull, "w") for s in (sys.stdout, sys.stderr))  # noqa: SIM115
    words = sys.argv[1:] if argv is None else list(argv)
    for word in words:
        option = word.partition("=")[0]
        if option in RENAMED_OPTIONS:
            show(f"{option} is now called {RENAMED_OPTIONS[option]}", sys.stderr)
            return BAD_INPUT
    out, errors = Display(sys.stdout), Display(sys.stderr)
    with contextlib.redirect_stdout(cast(IO[str], out)), redirect_stderr(cast(IO[str], errors)):
        try:
            code = _carry_out(words)
        finally:
            out.flush()
        if out.error and not isinstance(out.error, BrokenPipeError):
            show(f"The output cannot be written: {out.error}", sys.stderr)
            return code if words[0] in DRIVERS else BAD_INPUT
        return code


def _carry_out(words: Sequence[str]) -> int:
    try:
        arguments = _make_parser(words).parse_args(words)
        with _show_messages():
            return arguments.main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except TeaselError as error:
        show(str(error), sys.stderr)
        return BAD_INPUT
    except Exception as error:
        show(_describe_bug(error), sys.stderr)
        return BUG


def _describe_bug(error: Exception) -> str:
    """What to say of an error that nobody has foreseen, and where its traceback lies."""
    trace = "".join(traceback.format_exception(error))
    try:
        file, where = tempfile.mkstemp(prefix="teasel-", suffix=".log")
        with os.fdopen(file, "w", encoding="utf-8", errors="replace") as log:
            log.write(trace)
    except OSError:
        where = f"\n{trace}"
    what = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
    return f"{what}. This is a bug of Teasel: please report it, with {where}"


class _Top:
    """`teasel top`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel top`."""
        add_results(parser)
        parser.add_argument("--metric", required=True, help="mig, dci_disentanglement, elbo, ...")
        parser.add_argument("--dataset", metavar="NAME", help="only models of this data set")
        parser.add_argument("--representation", choices=("mean", "sampled"), default="mean")
        parser.add_argument(
            "--num", metavar="N", type=at_least(1, int), default=10, help="how many (default: 10)"
        )
        _add_choice(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Prints the models that score best."""
        from .analysis.top import top

        table = top(
            arguments.results,
            metric=arguments.metric,
            dataset=arguments.dataset,
            representation=arguments.representation,
            num_models=arguments.num,
            parameters=arguments.parameters,
            metric_seed=arguments.metric_seed,
        )
        if table.empty:
            show("No model has this score yet.")
        else:
            show(table.to_string(index=False, float_format="{:.4f}".format))
        return DONE


class _Report:
    """`teasel report`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel report`."""
        add_results(parser)
        parser.add_argument("--output", metavar="FILE", help="where to (default: DIR/report.html)")
        parser.add_argument("--published", metavar="JSON", help="published numbers of your own")
        parser.add_argument(
            "--export",
            metavar="FOLDER",
            help="instead, write its scores (Parquet) and the report as Markdown there, to commit",
        )
        _add_choice(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Writes the report and prints where it is."""
        from .analysis import export, write_report

        choice = (arguments.published, arguments.parameters, arguments.metric_seed)
        if arguments.export:
            page = export(arguments.results, arguments.export, *choice)
        else:
            page = write_report(arguments.results, arguments.output, *choice)
        show(f"The report is at {page}")
        return DONE


class _Submit:
    """`teasel submit`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel submit`."""
        targets = parser.add_subparsers(dest="target", metavar="TARGET", required=True)
        for name, what in (
            (
                "slurm",
                "one job, or an array of them, that goes back into the queue until all is done",
            ),
            ("kuberay", "a KubeRay RayJob"),
            ("ray-job", "a job of a running Ray cluster"),
        ):
            target = targets.add_parser(name, help=what, description=what)
            add_grids(target, nargs="*")
            target.add_argument("--cluster", metavar="FILE", help="what to ask of the cluster")
            target.add_argument(
                "--results", metavar="DIR", help="folder or URI (default: FILE's, or results/STUDY)"
            )
            target.add_argument("--example", action="store_true", help="print a FILE to start from")
            target.add_argument(
                "--print", action="store_true", help="print what would be submitted"
            )
            target.add_argument("--dry-run", action="store_true", help="check it, submit nothing")
            target.set_defaults(parser=target)

    def main(self, arguments: argparse.Namespace) -> int:
        """Submits the study, and prints how to follow it."""
        from .cluster import example, submit

        if arguments.example:
            show(example(arguments.target).removesuffix("\n"))
            return DONE
        if not arguments.grid or not arguments.cluster:
            arguments.parser.error(
                "GRID and --cluster FILE are needed; --example prints such a file"
            )
        said = submit(
            arguments.target,
            arguments.grid,
            arguments.cluster,
            results=arguments.results,
            select=arguments.select,
            show=arguments.print,
            dry_run=arguments.dry_run,
        )
        show(said)
        return DONE


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Adds what chooses between scores of a metric that were made in several ways."""
    parser.add_argument(
        "--parameters",
        metavar="YAML",
        type=_parameters,
        help="scores made with these, as in 'mig: {num_bins: 8}' (default: the latest grid's)",
    )
    parser.add_argument("--metric-seed", metavar="N", type=int, help="scores of this metric seed")


def _parameters(text: str) -> dict[str, Any]:
    """Parameters as a grid would have them."""
    import yaml

    try:
        parameters = yaml.safe_load(text)
    except yaml.YAMLError:
        parameters = None
    if not isinstance(parameters, dict):
        raise argparse.ArgumentTypeError(f"expected parameters as in 'num_bins: 8', got {text}")
    return parameters


COMMANDS: dict[str, tuple[str, Command | str]] = {
    "plan": ("say what a grid stands for, and what it costs", "plan"),
    "run": ("do what is missing of a grid", "run"),
    "status": ("say how far a study is", "status"),
    "failures": ("show what failed, grouped by exception", "failures"),
    "forget": ("take trials out of a results folder, to make them anew", "forget"),
    "compact": ("fold the many small files of a results folder into few", "compact"),
    "merge": ("unite results folders of one study", "merge"),
    "verify": ("look for what is damaged, missing or double", "verify"),
    "top": ("list the models that score best", _Top()),
    "rescore": ("score trained models by more metrics", "rescore"),
    "score": ("score codes, an encoder or a model that no study has trained", "score"),
    "methods": ("list the methods and their hyper-parameters", "methods"),
    "metrics": ("list the metrics and their parameters", "metrics"),
    "data": ("list the data sets, or prepare one", "data"),
    "report": ("write a study's report, one HTML page", _Report()),
    "submit": ("run a grid on Slurm, Kubernetes or a Ray cluster", _Submit()),
}
"""What each command is for, and what does it: a module of `sweep/commands`, or an object here."""


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command that these words ask for."""
    parser = argparse.ArgumentParser(
        prog="teasel",
        description="Train, score and analyse disentanglement studies from one YAML grid.",
        epilog="GRID is the name of a packaged grid (quickstart, locatello2019, ...) or a file. "
        f"Exit codes: {EXIT_CODES}.",
    )
    parser.add_argument("--version", action="version", version=f"teasel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    asked_for = next((word for word in words if not word.startswith("-")), None)
    for name, (what, command) in COMMANDS.items():
        entry = commands.add_parser(name, help=what)
        if name == asked_for:
            if isinstance(command, str):
                module = import_module(f".sweep.commands.{command}", __package__)
                command = cast(Command, module)
            command.add_arguments(entry)
            entry.set_defaults(main=command.main)
    return parser


class _Terminal(logging.Handler):
    """Shows messages plainly on the terminal; warnings among the errors, and called so."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            show(f"{record.levelname.lower()}: {text}", sys.stderr)
        else:
            show(text, sys.stdout)


@contextlib.contextmanager
def _show_messages() -> Iterator[None]:
    """Shows what Teasel logs, for as long as the context lasts."""
    logger, handler = logging.getLogger("teasel"), _Terminal()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


if __name__ == "__main__":
    sys.exit(main())
