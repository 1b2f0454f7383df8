"""Readable text: names, counts and tables for people."""

import html
import re
from collections.abc import Iterable, Sequence

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text, with terminal control and text direction characters escaped.

    >>> print(printable("a\x1b[31m\u202eb"))
    a\x1b[31m\u202eb
    """
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def readable(name: str) -> str:
    """A label made from a name, for things without a label."""
    return name.replace("_", " ")


def format_count(count: int, word: str) -> str:
    """A count with its noun, in the plural where needed.

    >>> format_count(1, "seed"), format_count(1800, "model")
    ('1 seed', '1,800 models')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """The first few of some lines, and how many more there are.

    >>> first_lines(["a", "b", "c"], 1), first_lines(["a"], 1)
    (['a', 'and 2 more'], ['a'])
    """
    more = len(lines) - most
    return [*lines[:most], *([f"and {more:,} more"] if more > 0 else [])]


def html_table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for a notebook, with all text in it escaped.

    >>> html_table("a < b", ["x"], [[1]])
    '<table><caption>a &lt; b</caption><tr><th>x</th></tr><tr><td>1</td></tr></table>'
    """

    def line(tag: str, cells: Iterable[object]) -> str:
        words = (html.escape(printable(str(cell))) for cell in cells)
        return f"<tr>{''.join(f'<{tag}>{each}</{tag}>' for each in words)}</tr>"

    body = "".join(line("td", row) for row in rows)
    head = f"<caption>{html.escape(printable(caption))}</caption>{line('th', titles)}"
    return f"<table>{head}{body}</table>"
