"""The command line: `teasel COMMAND`.

Each sweep command has a module in `sweep/commands`, imported only when that command is called. The
commands defined here belong to the rooms above `sweep` and print what a function returns.

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

from .errors import ConfigError, TeaselError
from .sweep.commands.command_line import (
    BAD_INPUT,
    BUG,
    DONE,
    EXIT_CODES,
    INTERRUPTED,
    Parser,
    Report,
    add_grids,
    add_json,
    add_results,
    at_least,
    show,
    show_json,
)
from .sweep.schedule.display import Display
from .version import __version__
from .words import format_count

DRIVERS = ("run", "rescore")
"""The commands whose work matters more than their output."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; an output error does not stop the work."""
    for number in range(3):  # one that is closed would become the first file that is opened
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = (s or open(os.devnull, "w") for s in (sys.stdout, sys.stderr))  # noqa: SIM115
    words = sys.argv[1:] if argv is None else list(argv)
    out, errors = Display(sys.stdout), Display(sys.stderr)
    with contextlib.redirect_stdout(cast(IO[str], out)), redirect_stderr(cast(IO[str], errors)):
        try:
            code = _carry_out(words)
        finally:
            out.flush()
        if out.error and not isinstance(out.error, BrokenPipeError):
            show(f"The output cannot be written: {out.error}", sys.stderr)
            return code if _asked_for(words) in DRIVERS else BAD_INPUT
        return code


def _carry_out(words: Sequence[str]) -> int:
    level = logging.INFO
    try:
        parser = _make_parser(words)
        if not words:
            show(parser.format_help().removesuffix("\n"))
            return DONE
        arguments = parser.parse_args(words)
        level = arguments.level
        with _show_messages(level, getattr(arguments, "json", False)):
            return arguments.main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except TeaselError as error:
        if level == logging.DEBUG:
            show(traceback.format_exc(), sys.stderr)
        show(str(error), sys.stderr)
        return BAD_INPUT
    except Exception as error:
        show(_describe_bug(error), sys.stderr)
        return BUG


def _describe_bug(error: Exception) -> str:
    """A message about an unexpected error, with the file that holds its traceback."""
    trace = "".join(traceback.format_exception(error))
    try:
        file, where = tempfile.mkstemp(prefix="teasel-", suffix=".log")
        with os.fdopen(file, "w", encoding="utf-8", errors="replace") as log:
            log.write(trace)
    except OSError:
        where = f"\n{trace}"
    what = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
    return f"{what}. This is a bug in Teasel. Please report it and attach {where}"


class _Top:
    """`teasel top`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel top`."""
        add_results(parser)
        parser.add_argument(
            "--metric",
            required=True,
            help="the score to rank by: mig, dci_disentanglement, elbo, ...",
        )
        parser.add_argument("--dataset", metavar="NAME", help="list only models of this data set")
        parser.add_argument(
            "--representation",
            choices=("mean", "sampled"),
            default="mean",
            help="the codes that were scored (default: mean)",
        )
        parser.add_argument(
            "--num",
            metavar="N",
            type=at_least(1, int),
            default=10,
            help="number of models (default: 10)",
        )
        _add_choice(parser)
        add_json(parser)

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
        if arguments.json:
            show_json({"models": table.to_dict("records")})
        elif table.empty:
            show("No model has a value for this score yet.")
        else:
            show(table.to_string(index=False, float_format="{:.4f}".format))
        return DONE


class _Report:
    """`teasel report`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel report`."""
        add_results(parser)
        parser.add_argument(
            "beside",
            metavar="OTHER",
            nargs="?",
            help="a second results folder to compare with the first",
        )
        parser.add_argument(
            "--output", metavar="FILE", help="file to write (default: DIR/report.html)"
        )
        parser.add_argument(
            "--published", metavar="JSON", help="a file of published numbers to compare with"
        )
        parser.add_argument(
            "--export",
            metavar="FOLDER",
            help="write the scores (Parquet) and the report as text here instead, ready to commit",
        )
        parser.add_argument(
            "--format",
            choices=("markdown", "tex"),
            help="format of the export: Markdown (default), or LaTeX with one file per table",
        )
        _add_choice(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Writes the report and prints its path."""
        from .analysis import export, write_report

        choice = (arguments.published, arguments.parameters, arguments.metric_seed)
        if arguments.export:
            form = arguments.format or "markdown"
            page = export(arguments.results, arguments.export, *choice, arguments.beside, form)
        elif arguments.format:
            raise ConfigError(
                "--format is the format of an export: expected --export FOLDER as well"
            )
        else:
            page = write_report(arguments.results, arguments.output, *choice, arguments.beside)
        show(f"Report written to {page}")
        return DONE


class _Watch:
    """`teasel watch`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel watch`."""
        add_results(parser)
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="address to listen on (default: 127.0.0.1, reachable from this machine only)",
        )
        parser.add_argument(
            "--port",
            metavar="N",
            type=at_least(0, int),
            default=0,
            help="port to listen on (default: any free port)",
        )
        parser.add_argument(
            "--seconds",
            metavar="N",
            type=at_least(0.1, float),
            default=2.0,
            help="seconds between two readings of the folder (default: 2)",
        )

    def main(self, arguments: argparse.Namespace) -> int:
        """Serves the page until Ctrl-C and prints its address."""
        from .analysis.report.serve import Server
        from .analysis.report.watch import Watched

        watched = Watched(arguments.results, arguments.seconds)
        with Server(watched, arguments.seconds, arguments.host, arguments.port) as server:
            show(watched.status()["line"] or watched.status()["trouble"], sys.stdout)
            show(f"Serving the page at {server.url}. Press Ctrl-C to stop.", sys.stdout)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()
        return DONE


class _Publish:
    """`teasel publish`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel publish`."""
        add_results(parser)
        parser.add_argument(
            "--to", metavar="FOLDER", required=True, help="a new local folder to write"
        )
        parser.add_argument(
            "--without",
            nargs="+",
            choices=("models", "codes"),
            default=[],
            help="leave out the models' parameters or the codes, which take most of the space",
        )
        parser.add_argument(
            "--licence",
            metavar="NAME",
            default="",
            help="licence of the results, such as CC-BY-4.0",
        )
        parser.add_argument("--cite", metavar="TEXT", default="", help="how to cite the results")
        add_json(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Publishes the folder and prints a summary."""
        from .analysis import publish

        made = publish(
            arguments.results,
            arguments.to,
            without=arguments.without,
            licence=arguments.licence,
            cite=arguments.cite,
        )
        report = Report(arguments.json)
        report.add(**made._asdict())
        if made.trials and made.trials.done < sum(made.trials):
            report.add(
                f"Incomplete study: {made.trials.say('trials are done')}; {made.trials.waiting}"
            )
        for kind, lines in made.findings.items():
            report.add(f"`teasel verify` found: {kind}: {len(lines):,}")
        report.add(
            f"{made.study}: {format_count(made.num_models, 'model')}, "
            f"{format_count(made.num_files, 'file')}, {made.num_bytes / 1e6:,.1f} MB in "
            f"{made.folder}\nSHA-256 of its checksums.txt: {made.sha256}"
        )
        report.end()
        return DONE


class _Submit:
    """`teasel submit`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel submit`."""
        targets = parser.add_subparsers(dest="target", metavar="TARGET", required=True)
        for name, what in (
            ("slurm", "submit one Slurm job or a job array, requeued until the study is done"),
            ("kuberay", "submit a KubeRay RayJob"),
            ("ray-job", "submit a job to a running Ray cluster"),
        ):
            example = f"example: teasel submit {name} mine.yaml --cluster cluster.yaml"
            target = targets.add_parser(name, help=what, description=what, epilog=example)
            add_grids(target, nargs="*")
            target.add_argument(
                "--cluster", metavar="FILE", help="a YAML file describing the cluster"
            )
            target.add_argument(
                "--results",
                metavar="DIR",
                help="folder or URI (default: the one in FILE, or results/STUDY)",
            )
            target.add_argument("--example", action="store_true", help="print an example FILE")
            target.add_argument(
                "--print",
                action="store_true",
                help="print what would be submitted, and submit nothing",
            )
            target.add_argument(
                "--dry-run", action="store_true", help="check the submission, and submit nothing"
            )
            target.set_defaults(parser=target)

    def main(self, arguments: argparse.Namespace) -> int:
        """Submits the study and prints how to follow it."""
        from .cluster import example, submit

        if arguments.example:
            show(example(arguments.target).removesuffix("\n"))
            return DONE
        if not arguments.grid or not arguments.cluster:
            arguments.parser.error(
                "GRID and --cluster FILE are required; --example prints an example FILE"
            )
        said = submit(
            arguments.target,
            arguments.grid,
            arguments.cluster,
            results=arguments.results,
            select=arguments.select,
            changes=arguments.set,
            show=arguments.print,
            dry_run=arguments.dry_run,
        )
        show(said)
        return DONE


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Adds the options that choose among scores of one metric computed in several ways."""
    parser.add_argument(
        "--parameters",
        metavar="YAML",
        type=_parameters,
        help="use scores with these metric parameters, e.g. 'mig: {num_bins: 8}' (default: those "
        "of the latest grid)",
    )
    parser.add_argument(
        "--metric-seed", metavar="N", type=int, help="use scores of this metric seed"
    )


def _parameters(text: str) -> dict[str, Any]:
    """Metric parameters, written as in a grid."""
    from .sweep.grid.source import read_yaml

    try:
        parameters = read_yaml(text, "").value
    except ConfigError:
        parameters = None
    if not isinstance(parameters, dict):
        raise argparse.ArgumentTypeError(f"expected parameters such as 'num_bins: 8', got {text}")
    return parameters


OWN: dict[str, Any] = {
    "top": _Top(),
    "watch": _Watch(),
    "report": _Report(),
    "publish": _Publish(),
    "submit": _Submit(),
}
"""The commands of rooms above `sweep`. The others are modules of `sweep/commands`.

Each has `add_arguments(parser)`, and `main(arguments)`, which returns the exit code.
"""

COMMANDS = {
    "plan": (
        "show what a grid contains and what it will cost",
        "quickstart --set training.steps=1000",
    ),
    "run": (
        "train and score what is missing from a study",
        "mine.yaml --results results/mine --select 'method=beta_vae,seed<5'",
    ),
    "status": ("show a study's progress", "results/mine --json"),
    "watch": ("show a running study in a browser", "results/mine --port 8080"),
    "failures": ("show failed attempts, grouped by exception", "results/mine"),
    "forget": (
        "remove trials from a results folder, so that they run again",
        "results/mine --select method=beta_vae,beta=4",
    ),
    "compact": ("combine the many small files of a results folder into a few", "results/mine"),
    "merge": (
        "merge several results folders of one study",
        "results/here results/there --into results/mine",
    ),
    "verify": ("check a results folder for damaged, missing or duplicate data", "results/mine"),
    "top": ("list the best-scoring models", "results/mine --metric mig"),
    "rescore": ("score trained models with more metrics", "results/mine --metrics udr,infomec"),
    "score": (
        "score codes, an encoder or a model from outside any study",
        "codes.npz --metrics mig dci",
    ),
    "list": ("list the methods, metrics, priors and so on that a grid can name", "methods"),
    "data": ("list the data sets or prepare one", "prepare dsprites"),
    "report": (
        "write a study's report as one HTML page, with an explorer of its models",
        "results/mine --output mine.html",
    ),
    "publish": (
        "copy a results folder for publication, with checksums",
        "results/mine --to published/mine --licence CC-BY-4.0",
    ),
    "fetch": (
        "download a published results folder and verify it",
        "https://example.org/mine.zip results/mine",
    ),
    "submit": (
        "run a grid on Slurm, Kubernetes or a Ray cluster",
        "slurm mine.yaml --cluster cluster.yaml",
    ),
}
"""The purpose of each command, and the arguments of an example."""


def _asked_for(words: Sequence[str]) -> str | None:
    """The command named in these words."""
    return next((word for word in words if not word.startswith("-")), None)


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command named in these words."""
    codes = ", ".join(f"{code} {what}" for code, what in EXIT_CODES.items())
    parser = Parser(
        prog="teasel",
        description="Train, score and analyse a disentanglement study from one YAML grid.",
        epilog="GRID is the name of a packaged grid (quickstart, locatello2019, ...) or a YAML "
        f"file. Exit codes: {codes}. Example: teasel run quickstart",
    )
    parser.set_defaults(level=logging.INFO)
    parser.add_argument("--version", action="version", version=f"teasel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (what, example) in COMMANDS.items():
        entry = commands.add_parser(
            name, help=what, description=what, epilog=f"example: teasel {name} {example}"
        )
        if name == _asked_for(words):
            command = OWN.get(name) or import_module(f".sweep.commands.{name}", __package__)
            command.add_arguments(entry)
            entry.set_defaults(main=command.main)
    return parser


class _Terminal(logging.Handler):
    """Prints log messages: warnings and errors to stderr, with their level, and others to stdout.

    Args:
        apart: Whether all messages go to stderr, because stdout is for JSON.
        timed: Whether each message begins with its time.
    """

    def __init__(self, apart: bool, timed: bool) -> None:
        super().__init__()
        self._apart = apart
        self._begin = logging.Formatter("%(asctime)s ").format if timed else lambda record: ""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message."""
        serious = record.levelno >= logging.WARNING
        kind = f"{record.levelname.lower()}: " if serious else ""
        text = f"{self._begin(record)}{kind}{record.getMessage()}"
        show(text, sys.stderr if serious or self._apart else sys.stdout)


@contextlib.contextmanager
def _show_messages(level: int, apart: bool) -> Iterator[None]:
    """Prints Teasel's log messages of at least `level` while the context lasts."""
    logger, handler = logging.getLogger("teasel"), _Terminal(apart, level == logging.DEBUG)
    before, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagates


if __name__ == "__main__":
    sys.exit(main())
