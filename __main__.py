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

from .errors import ConfigError, TeaselError
from .sweep.commands.command_line import (
    BAD_INPUT,
    BUG,
    DONE,
    EXIT_CODES,
    INTERRUPTED,
    Command,
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
"""The commands whose work matters more than what they print."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command, and returns its exit code; output that cannot be written ends nothing."""
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
            show("No model has this score yet.")
        else:
            show(table.to_string(index=False, float_format="{:.4f}".format))
        return DONE


class _Report:
    """`teasel report`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel report`."""
        add_results(parser)
        parser.add_argument(
            "beside", metavar="OTHER", nargs="?", help="another, to be compared with the first"
        )
        parser.add_argument("--output", metavar="FILE", help="where to (default: DIR/report.html)")
        parser.add_argument("--published", metavar="JSON", help="published numbers of your own")
        parser.add_argument(
            "--export",
            metavar="FOLDER",
            help="instead, write its scores (Parquet) and the report there, to commit",
        )
        parser.add_argument(
            "--format",
            choices=("markdown", "tex"),
            help="of what is exported: Markdown (the default), or LaTeX with a file for each table",
        )
        _add_choice(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Writes the report and prints where it is."""
        from .analysis import export, write_report

        choice = (arguments.published, arguments.parameters, arguments.metric_seed)
        if arguments.export:
            form = arguments.format or "markdown"
            page = export(arguments.results, arguments.export, *choice, arguments.beside, form)
        elif arguments.format:
            raise ConfigError(
                "--format says how --export writes: expected --export FOLDER beside it"
            )
        else:
            page = write_report(arguments.results, arguments.output, *choice, arguments.beside)
        show(f"The report is at {page}")
        return DONE


class _Watch:
    """`teasel watch`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel watch`."""
        add_results(parser)
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="an address of this machine (default: 127.0.0.1, which only it can reach)",
        )
        parser.add_argument(
            "--port",
            metavar="N",
            type=at_least(0, int),
            default=0,
            help="(default: one that is free)",
        )
        parser.add_argument(
            "--seconds",
            metavar="N",
            type=at_least(0.1, float),
            default=2.0,
            help="between two looks at the folder (default: 2)",
        )

    def main(self, arguments: argparse.Namespace) -> int:
        """Serves the page until Ctrl-C, and prints where it is."""
        from .analysis.report.serve import Server
        from .analysis.report.watch import Watched

        watched = Watched(arguments.results, arguments.seconds)
        with Server(watched, arguments.seconds, arguments.host, arguments.port) as server:
            show(watched.status()["line"] or watched.status()["trouble"], sys.stdout)
            show(f"The page is at {server.url} until Ctrl-C", sys.stdout)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()
        return DONE


class _Publish:
    """`teasel publish`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the arguments of `teasel publish`."""
        add_results(parser)
        parser.add_argument("--to", metavar="FOLDER", required=True, help="a new local folder")
        parser.add_argument(
            "--without",
            nargs="+",
            choices=("models", "codes"),
            default=[],
            help="leave out parameters, or representations, which take most of the space",
        )
        parser.add_argument("--licence", metavar="NAME", default="", help="as in CC-BY-4.0")
        parser.add_argument("--cite", metavar="TEXT", default="", help="how to cite it")
        add_json(parser)

    def main(self, arguments: argparse.Namespace) -> int:
        """Publishes the folder, and prints what is in it."""
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
            report.add(f"Not complete: {made.trials.say('trials are done')}; {made.trials.waiting}")
        for kind, lines in made.findings.items():
            report.add(f"`teasel verify` finds: {kind}: {len(lines):,}")
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
            (
                "slurm",
                "a job, or an array of jobs, that goes back into the queue until all is done",
            ),
            ("kuberay", "a KubeRay RayJob"),
            ("ray-job", "a job on a running Ray cluster"),
        ):
            example = f"example: teasel submit {name} mine.yaml --cluster cluster.yaml"
            target = targets.add_parser(name, help=what, description=what, epilog=example)
            add_grids(target, nargs="*")
            target.add_argument("--cluster", metavar="FILE", help="describes the cluster")
            target.add_argument(
                "--results",
                metavar="DIR",
                help="folder or URI (default: as in FILE, else results/STUDY)",
            )
            target.add_argument("--example", action="store_true", help="print an example of FILE")
            target.add_argument(
                "--print", action="store_true", help="print what would be submitted"
            )
            target.add_argument(
                "--dry-run",
                action="store_true",
                help="check the study, here and on the cluster; submit nothing",
            )
            target.set_defaults(parser=target)

    def main(self, arguments: argparse.Namespace) -> int:
        """Submits the study, and prints how to follow it."""
        from .cluster import example, submit

        if arguments.example:
            show(example(arguments.target).removesuffix("\n"))
            return DONE
        if not arguments.grid or not arguments.cluster:
            arguments.parser.error(
                "expected GRID and --cluster FILE; --example prints an example of FILE"
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


COMMANDS: dict[str, tuple[str, Command | str, str]] = {
    "plan": (
        "say what a grid stands for, and what it costs",
        "plan",
        "quickstart --set training.steps=1000",
    ),
    "run": (
        "do what is missing of a grid",
        "run",
        "mine.yaml --results results/mine --select 'method=beta_vae,seed<5'",
    ),
    "status": ("say how far a study is", "status", "results/mine --json"),
    "watch": ("show a study in a browser while it runs", _Watch(), "results/mine --port 8080"),
    "failures": ("show what failed, grouped by exception", "failures", "results/mine"),
    "forget": (
        "take trials out of a results folder, to make them anew",
        "forget",
        "results/mine --select method=beta_vae,beta=4",
    ),
    "compact": (
        "fold the many small files of a results folder into few",
        "compact",
        "results/mine",
    ),
    "merge": (
        "unite results folders of one study",
        "merge",
        "results/here results/there --into results/mine",
    ),
    "verify": ("look for what is damaged, missing or double", "verify", "results/mine"),
    "top": ("list the models that score best", _Top(), "results/mine --metric mig"),
    "rescore": (
        "score trained models by more metrics",
        "rescore",
        "results/mine --metrics udr,infomec",
    ),
    "score": (
        "score codes, an encoder or a model that no study has trained",
        "score",
        "codes.npz --metrics mig dci",
    ),
    "list": (
        "list the methods, metrics, priors, ... that a grid may name",
        "catalogues",
        "methods",
    ),
    "data": ("list the data sets, or prepare one", "data", "prepare dsprites"),
    "report": (
        "write a study's report, one HTML page, and an explorer of its models",
        _Report(),
        "results/mine --output mine.html",
    ),
    "publish": (
        "write a results folder to be passed on, with checksums",
        _Publish(),
        "results/mine --to published/mine --licence CC-BY-4.0",
    ),
    "fetch": (
        "take a published folder in, and verify it",
        "fetch",
        "https://example.org/mine.zip results/mine",
    ),
    "submit": (
        "run a grid on Slurm, Kubernetes or a Ray cluster",
        _Submit(),
        "slurm mine.yaml --cluster cluster.yaml",
    ),
}
"""What each command is for; what does it, a module of `sweep/commands` or an object here; and the
arguments of an example."""


def _asked_for(words: Sequence[str]) -> str | None:
    """The command that these words ask for."""
    return next((word for word in words if not word.startswith("-")), None)


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the command that these words ask for."""
    codes = ", ".join(f"{code} {what}" for code, what in EXIT_CODES.items())
    parser = Parser(
        prog="teasel",
        description="Train, score and analyse disentanglement studies from one YAML grid.",
        epilog="GRID is the name of a packaged grid (quickstart, locatello2019, ...) or a file. "
        f"Exit codes: {codes}. Example: teasel run quickstart",
    )
    parser.set_defaults(level=logging.INFO)
    parser.add_argument("--version", action="version", version=f"teasel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (what, command, example) in COMMANDS.items():
        entry = commands.add_parser(
            name, help=what, description=what, epilog=f"example: teasel {name} {example}"
        )
        if name == _asked_for(words):
            if isinstance(command, str):
                module = import_module(f".sweep.commands.{command}", __package__)
                command = cast(Command, module)
            command.add_arguments(entry)
            entry.set_defaults(main=command.main)
    return parser


class _Terminal(logging.Handler):
    """Shows messages plainly on the terminal; warnings among the errors, and called so.

    Args:
        apart: Whether all stand among the errors, as the output is for JSON.
        timed: Whether each begins with its time.
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
    """Shows what Teasel logs from a level on, for as long as the context lasts."""
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
