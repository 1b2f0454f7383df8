"""docs/commands.md has every command, option, exit code and key of its JSON."""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from teasel.__main__ import COMMANDS, _make_parser, main
from teasel.sweep.commands.command_line import EXIT_CODES
from teasel.sweep.commands.list import KINDS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "commands.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
RESULTS = ROOT / "tests" / "data" / "quickstart"
BY_NAME = (
    *("by_dataset", "by_method", "findings", "methods", "references", "hyperparameters"),
    *("metrics", "parameters", "datasets", "kinds", "networks", "likelihoods", "priors"),
)
"""Keys whose own keys are names, or the like."""


def parsers(command: str) -> Iterator[argparse.ArgumentParser]:
    """The parser of a command, or those of its targets and actions."""
    (choice,) = _subcommands(_make_parser([command]))
    targets = list(_subcommands(choice.choices[command]))
    yield from targets[0].choices.values() if targets else [choice.choices[command]]


def _subcommands(parser: argparse.ArgumentParser) -> Iterator[Any]:
    return (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_section_with_just_its_options(command: str) -> None:
    texts = [parser.format_help() for parser in parsers(command)]
    options = {
        option for text in texts for option in re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.M)
    }
    told = set()
    for line in re.findall(r"^\* (`--.*)$", SECTIONS[command], re.MULTILINE):
        told |= set(re.findall(r"`(--[\w-]+)", line))
    assert told == options - {"--help", "--quiet", "--verbose"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_command_can_be_parsed(command: str) -> None:
    example = COMMANDS[command][1].replace("'", "").split()
    assert _make_parser([command, *example]).parse_args([command, *example]).main


def test_the_exit_codes_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", PAGE, re.MULTILINE)
    assert [int(code) for code, _ in rows] == list(EXIT_CODES)
    assert all(what.startswith(EXIT_CODES[int(code)]) for code, what in rows)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("data list", 0),
        ("plan quickstart --device h200", 0),
        (f"plan quickstart --results {RESULTS}", 0),
        (f"status {RESULTS}", 0),
        (f"failures {RESULTS}", 0),
        (f"verify {RESULTS}", 1),
        (f"top {RESULTS} --metric mig", 0),
    ],
)
def test_the_json_of_a_command_has_the_keys_of_the_page(
    words: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--json"]) == code
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    section = SECTIONS[words.split()[0]]
    listed = set(re.findall(r"`(\w+)`", section)) | {
        "mig",
        "done",
        "failed",
        "untrained",
        "unscored",
    }
    assert set(keys(found)) <= listed
    if "--" not in words:
        rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        assert set(found) == {key for row in rows for key in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize("what", ["", *KINDS])
def test_the_json_of_a_list_has_the_keys_of_the_page(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", *what.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert set(found) >= ({what} if what else {"kinds"})
    assert set(found) <= {"kinds", "references", *KINDS}
    assert set(keys(found)) <= set(re.findall(r"`(\w+)`", SECTIONS["list"]))
    for entries in found.values():
        assert entries


def keys(value: Any, named: bool = False) -> Iterator[str]:
    """Every key of a JSON value, but those that are names."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not named:
                yield key
            yield from keys(item, not named and key in BY_NAME)
    for item in value if isinstance(value, list) else ():
        yield from keys(item)
