"""Calls a command as the command line does, but lets its errors through."""

from ...__main__ import _make_parser


def call(*words: str) -> int:
    """The exit code of a command and its arguments."""
    arguments = _make_parser(words).parse_args(words)
    return arguments.main(arguments)
