"""What the commands share: exit codes, and the arguments that several of them take."""

import argparse
import contextlib
from collections.abc import Callable
from typing import IO, Protocol

from ...words import printable

DONE, FAILED, BAD_INPUT, INTERRUPTED, BUG = range(5)
EXIT_CODES = (
    "0 done, 1 some trials failed, 2 something to mend, 3 interrupted, the same command goes on, "
    "4 a bug"
)


def show(text: str, stream: IO[str] | None = None) -> None:
    """Prints a text that may be a stranger's: it cannot steer the terminal. Nobody else prints."""
    print(printable(text), file=stream, flush=stream is not None)


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
