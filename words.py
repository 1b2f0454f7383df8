"""Words for people: the names and the numbers of things."""

import re

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text, in which what would steer a terminal, or turn its direction, is spelt out.

    >>> print(printable("a\x1b[31m\u202eb"))
    a\x1b[31m\u202eb
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def readable(name: str) -> str:
    """The label of what has no label of its own."""
    return name.replace("_", " ")


def format_count(count: int, word: str) -> str:
    """So many of something.

    >>> format_count(1, "seed"), format_count(1800, "model")
    ('1 seed', '1,800 models')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"
