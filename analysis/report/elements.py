"""The pieces a report's page is made of: plain dictionaries that the template lays out."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..frames import DataFrame
from ..labels import DASH, MINUS, label, setting_label
from ..plots.style import svg
from ..tables import lower_is_better

Block = dict[str, Any]


def section(name: str, title: str, *blocks: Block | None) -> Block:
    """A section of the page; None among its blocks is skipped."""
    return {"name": name, "title": title, "blocks": [block for block in blocks if block]}


def text(words: str, style: str = "") -> Block:
    """A paragraph; `style` is a class of the stylesheet, "page" for what only a page can do."""
    return {"kind": "text", "text": words, "style": style}


def heading(words: str) -> Block:
    """A heading within a section."""
    return {"kind": "heading", "text": words}


def drawn(name: str, figure: Figure, caption: str = "") -> Block:
    """A figure as inline SVG, and as a PDF beside the page; `name` is unique in the page."""
    picture = {"kind": "figure", "name": name, "figure": figure}
    return picture | {"svg": svg(figure, name), "caption": caption}


def data(**tables: DataFrame) -> Block:
    """Links to the numbers behind a section, CSV files beside the page."""
    return {"kind": "data", "tables": tables}


def pair(*parts: Block) -> Block:
    """Blocks side by side where the page is wide enough."""
    return {"kind": "pair", "parts": parts}


def gallery(pictures: Sequence[tuple[str, str]], columns: int) -> Block:
    """Pictures (address, caption), so many side by side."""
    shown = [{"source": source, "caption": caption} for source, caption in pictures]
    return {"kind": "gallery", "pictures": shown, "columns": columns}


def inline(png: bytes) -> str:
    """The address of a picture that is inside the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def folded(words: str, *parts: Block) -> Block:
    """Blocks behind a line to click; open in print."""
    return {"kind": "folded", "text": words, "parts": parts}


def inner(block: Block) -> Iterator[Block]:
    """All blocks within a section or a pair."""
    for part in block.get("blocks", block.get("parts", ())):
        yield part
        yield from inner(part)


def cell(value: Any, digits: int = 2, spread: float | None = None, style: str = "") -> Block:
    """One cell: numbers to `digits` decimals (counts as they are), with a spread if finite."""
    if isinstance(value, str):
        style = style or ("long" if len(value) > 40 else "")
        return {"text": value, "number": False, "style": style, "sort": None, "spread": ""}
    value = value if np.isnan(value) or round(value, digits) else type(value)(0)  # no minus zero
    count = isinstance(value, int | np.integer)
    shown = DASH if np.isnan(value) else f"{value:,}" if count else f"{value:,.{digits}f}"
    return {
        "text": shown.replace("-", MINUS),
        "number": True,
        "style": style,
        "sort": float(value) if not np.isnan(value) else "NaN",
        "spread": "" if spread is None or np.isnan(spread) else f"{spread:.{digits}f}",
    }


def table(
    name: str, rows: DataFrame, titles: Mapping[str, str] | None = None, digits: int = 2
) -> Block:
    """A table as it stands, with the columns of `titles` so titled, or else all of them."""
    titles = titles or {column: label(column) for column in rows.columns}
    cells = [
        [cell(value, digits, style=VERDICTS.get(value, "")) for value in row]
        for row in rows[list(titles)].itertuples(index=False)
    ]
    return {
        "kind": "table",
        "name": name,
        "sortable": False,
        "columns": [
            {"title": title, "number": rows[column].dtype.kind in "if"}
            for column, title in titles.items()
        ],
        "bodies": [{"rows": cells, "references": False}],
    }


VERDICTS = {"agrees": "agrees", "differs": "differs"}
"""Words with a style of their own."""


def _counted(counts: Sequence[int]) -> Block:
    """How many models the scores of a row are over: the fewest and the most."""
    fewest, most = min(counts), max(counts)
    return cell(most) | ({"text": f"{fewest:,}{DASH}{most:,}"} if fewest < most else {})


def score_table(name: str, summary: DataFrame) -> Block:
    """`summary.score_table` of one data set: mean ± spread, references in a body of their own.

    The best mean of each score is bold.
    """
    counts = summary.columns[summary.columns.str.endswith("_count")]
    scores = [column.removesuffix("_count") for column in counts]
    settings = "setting" in summary and summary["setting"].ne("").any()
    learned = summary[~summary["reference"]]
    best = {
        score: learned[score].min() if lower_is_better(score) else learned[score].max()
        for score in scores
    }
    bodies = []
    for references in (False, True):
        rows = [
            [
                cell(label(row["method"])),
                *([cell(setting_label(row["setting"]))] if settings else []),
                _counted([int(row[count]) for count in counts]),
                *(
                    cell(
                        row[score],
                        spread=row.get(f"{score}_spread"),
                        style="top" if not references and row[score] == best[score] else "",
                    )
                    for score in scores
                ),
            ]
            for row in summary[summary["reference"] == references].to_dict("records")
        ]
        if rows:
            bodies.append({"rows": rows, "references": references})
    titles = [("Method", False), *([("Setting", False)] if settings else []), ("Models", True)]
    titles += [(label(score), True) for score in scores]
    return {
        "kind": "table",
        "name": name,
        "sortable": True,
        "columns": [{"title": title, "number": number} for title, number in titles],
        "bodies": bodies,
    }
