"""What the commands share: exit codes, common arguments and the printing of reports."""

import argparse
import contextlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any

from ...errors import hint
from ...words import printable

DONE, FAILED, BAD_INPUT, INTERRUPTED, BUG = range(5)
EXIT_CODES = {
    DONE: "done",
    FAILED: "some trials failed, or `verify` has findings",
    BAD_INPUT: "something to fix first",
    INTERRUPTED: "interrupted (the same command resumes)",
    BUG: "a bug",
}
"""The meaning of each exit code. docs/commands.md has the same table."""


def show(text: str, stream: IO[str] | None = None) -> None:
    """Prints text, with control characters escaped. No other function prints."""
    print(printable(text), file=stream, flush=stream is not None)


class Report:
    """The output of a command: lines, printed at once, or one JSON object, printed at the end.

    Args:
        as_json: Whether to print the JSON object and nothing else.
    """

    def __init__(self, as_json: bool = False) -> None:
        self._as_json = as_json
        self._facts: dict[str, Any] = {}

    def add(self, line: str = "", /, **facts: Any) -> None:
        """Prints the line now, or keeps the facts for the JSON object."""
        self._facts |= facts
        if line and not self._as_json:
            show(line)

    def end(self) -> None:
        """Prints the JSON object, if JSON was requested."""
        if self._as_json:
            show_json(self._facts)


def show_json(value: Any) -> None:
    """Prints a value as JSON; NaN and infinity, which JSON cannot express, become null."""
    show(json.dumps(to_json(value), indent=1))


def to_json(value: Any) -> Any:
    """Returns a value that JSON can express: NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_json(value._asdict())  # type: ignore[attr-defined]
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if hasattr(value, "item"):  # a number of NumPy's
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Parser(argparse.ArgumentParser):
    """A parser that adds --quiet and --verbose to every command and corrects unknown names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        loudness = self.add_mutually_exclusive_group()
        for name, level, what in (
            ("--quiet", logging.WARNING, "print only results, warnings and errors"),
            ("--verbose", logging.DEBUG, "print times with messages, and tracebacks with errors"),
        ):
            loudness.add_argument(
                name,
                action="store_const",
                const=level,
                dest="level",
                default=argparse.SUPPRESS,
                help=what,
            )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parses as argparse does, but reports an unknown option with the nearest known one."""
        found, rest = super().parse_known_args(args, namespace)
        for option in (word.partition("=")[0] for word in rest if word.startswith("-")):
            known = re.findall(r"--[\w-]+", self.format_usage())
            self.error(f"unknown option '{option}'{hint(option, known)}")
        return found, rest

    def error(self, message: str) -> Any:
        """Prints the error and exits with code 2; suggests a name for an unknown choice."""
        if wrong := re.match(
            r"(argument .+): invalid choice: '(.*?)' \(choose from (.*)\)", message
        ):
            what, name, choices = wrong.groups()
            known = re.findall(r"[\w-]+", choices)
            message = f"{what}: unknown name '{name}'{hint(name, known)}"
        super().error(message)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Adds the argument for the results folder."""
    parser.add_argument("results", metavar="DIR", help="the results folder")


def add_grids(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """Adds the arguments for the grids, changes to them and a selection of their trials."""
    parser.add_argument(
        "grid", metavar="GRID", nargs=nargs, help="name of a packaged grid, or a YAML file"
    )
    parser.add_argument(
        "--select", metavar="EXPR", help="only these trials, e.g. 'method=beta_vae,seed<5'"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a value in the grid, e.g. 'training.steps=1000'; can be repeated",
    )


class _Names(argparse.Action):
    """Collects names, separated by spaces or commas, in one list."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, [n for value in values for n in value.split(",") if n])


def add_metrics(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """Adds the argument for the names of metrics."""
    parser.add_argument(
        "--metrics", metavar="NAME", nargs="+", action=_Names, required=required, help=what
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    """Adds the choice between lines and JSON."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON (described in docs/commands.md)"
    )


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Adds the argument for the address of a Ray cluster."""
    parser.add_argument("--address", metavar="RAY", help="address of a running Ray cluster")


def at_least(least: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    """The type of an argument with a least value."""

    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if (value := kind(text)) >= least:
                return value
        raise argparse.ArgumentTypeError(f"expected a number of at least {least}, got {text}")

    return parse
