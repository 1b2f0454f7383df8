"""What the commands share: exit codes, the arguments of several of them, and how they report."""

import argparse
import contextlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

from ...errors import hint
from ...words import printable

DONE, FAILED, BAD_INPUT, INTERRUPTED, BUG = range(5)
EXIT_CODES = {
    DONE: "done",
    FAILED: "some trials failed, or `verify` has findings",
    BAD_INPUT: "something to mend",
    INTERRUPTED: "interrupted, the same command goes on",
    BUG: "a bug",
}
"""What each exit code means; docs/commands.md has the same table."""


def show(text: str, stream: IO[str] | None = None) -> None:
    """Prints a text that may be a stranger's: it cannot steer the terminal. Nobody else prints."""
    print(printable(text), file=stream, flush=stream is not None)


class Report:
    """What a command finds: lines for people as they come, or facts as one JSON object.

    Args:
        as_json: Whether JSON was asked for; nothing else stands on the output then.
    """

    def __init__(self, as_json: bool = False) -> None:
        self._as_json = as_json
        self._facts: dict[str, Any] = {}

    def add(self, line: str = "", **facts: Any) -> None:
        """Says something: the line at once if there is one, or the facts in the end."""
        self._facts |= facts
        if line and not self._as_json:
            show(line)

    def end(self) -> None:
        """Prints the JSON, if that was asked for."""
        if self._as_json:
            show_json(self._facts)


def show_json(value: Any) -> None:
    """Prints a value as JSON; what is no finite number, and JSON cannot say, becomes null."""
    show(json.dumps(to_json(value), indent=1))


def to_json(value: Any) -> Any:
    """A value that JSON can say: what is no finite number is None."""
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
    """A parser of which every command takes --quiet and --verbose, and that corrects names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        loudness = self.add_mutually_exclusive_group()
        for name, level, what in (
            ("--quiet", logging.WARNING, "say only what was asked for, warnings and errors"),
            ("--verbose", logging.DEBUG, "begin every message with its time, show tracebacks"),
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
        """As argparse does; an option that there is not is an error that names the nearest."""
        found, rest = super().parse_known_args(args, namespace)
        for option in (word.partition("=")[0] for word in rest if word.startswith("-")):
            known = re.findall(r"--[\w-]+", self.format_usage())
            self.error(f"unknown option '{option}'{hint(option, known)}")
        return found, rest

    def error(self, message: str) -> Any:
        """Prints what is wrong and ends with code 2; names what a wrong choice may have meant."""
        if wrong := re.match(
            r"(argument .+): invalid choice: '(.*?)' \(choose from (.*)\)", message
        ):
            what, name, choices = wrong.groups()
            known = re.findall(r"[\w-]+", choices)
            message = f"{what}: unknown name '{name}'{hint(name, known)}"
        super().error(message)


class Command(Protocol):
    """The module of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the command's arguments to its parser."""
        ...

    def main(self, arguments: argparse.Namespace) -> int:
        """Does what the command is for and returns the exit code."""
        ...


def add_results(parser: argparse.ArgumentParser) -> None:
    """Adds the results folder that a command reads."""
    parser.add_argument("results", metavar="DIR", help="the results folder")


def add_grids(parser: argparse.ArgumentParser, nargs: str = "+") -> None:
    """Adds the grids that a command is about, and a selection of their trials."""
    parser.add_argument(
        "grid", metavar="GRID", nargs=nargs, help="a packaged grid's name, or a file"
    )
    parser.add_argument(
        "--select", metavar="EXPR", help="only these trials, as in 'method=beta_vae,seed<5'"
    )
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="another value in the grid, as in 'training.steps=1000'; may be repeated",
    )


class _Names(argparse.Action):
    """Names apart, or joined by commas, or both: always the list."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, [n for value in values for n in value.split(",") if n])


def add_metrics(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """Adds the names of metrics."""
    parser.add_argument(
        "--metrics", metavar="NAME", nargs="+", action=_Names, required=required, help=what
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    """Adds the choice between lines and JSON of a command that reports."""
    parser.add_argument(
        "--json", action="store_true", help="print JSON, as docs/commands.md describes it"
    )


def add_ray(parser: argparse.ArgumentParser) -> None:
    """Adds the address of a Ray cluster."""
    parser.add_argument("--address", metavar="RAY", help="a running Ray cluster's address")


def at_least(least: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    """The type of an argument that must not be less."""

    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if (value := kind(text)) >= least:
                return value
        raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")

    return parse
