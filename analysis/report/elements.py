"""What a report's page is made of: plain dictionaries that the template lays out."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from ..formats import DASH, MINUS
from ..names import Names
from ..plots.style import render_svg
from ..statistics.resampling import student_interval
from ..summary import rank_settings

Element = dict[str, Any]


def section(name: str, title: str, *elements: Element | None) -> Element:
    """A section of the page; None among its elements is skipped."""
    return {"name": name, "title": title, "elements": [one for one in elements if one]}


def text(words: str, style: str = "") -> Element:
    """A paragraph; `style` is a class of the stylesheet, "page" for what only a page can do."""
    return {"kind": "text", "text": words, "style": style}


def heading(words: str) -> Element:
    """A heading within a section."""
    return {"kind": "heading", "text": words}


def figure(name: str, drawn: Figure, caption: str = "") -> Element:
    """A figure as inline SVG, and as a PDF beside the page; `name` is unique in the page."""
    name = name.replace("/", "_")  # it becomes the name of a file
    svg = render_svg(drawn, name)
    return {"kind": "figure", "name": name, "figure": drawn, "svg": svg, "caption": caption}


def data(**tables: DataFrame) -> Element:
    """Links to the numbers behind a section, CSV files beside the page."""
    return {"kind": "data", "tables": tables}


def pair(*elements: Element) -> Element:
    """Elements side by side where the page is wide enough."""
    return {"kind": "pair", "elements": elements}


def details(words: str, *elements: Element) -> Element:
    """Elements behind a line to click; open in print."""
    return {"kind": "details", "text": words, "elements": elements}


def gallery(pictures: Sequence[tuple[str, str]], columns: int) -> Element:
    """Pictures (address, caption), so many side by side."""
    shown = [{"source": source, "caption": caption} for source, caption in pictures]
    return {"kind": "gallery", "pictures": shown, "columns": columns}


def encode_png(png: bytes) -> str:
    """The address of a picture that is inside the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def walk(element: Element) -> Iterator[Element]:
    """All elements within a section, a pair or details."""
    for one in element.get("elements", ()):
        yield one
        yield from walk(one)


def cell(
    value: Any,
    digits: int = 2,
    spread: float | None = None,
    style: str = "",
    ends: tuple[float, float] = (np.nan, np.nan),
) -> Element:
    """One cell: numbers to `digits` decimals (counts as they are), with a spread if finite.

    What has no room for two shows the `ends` of an interval instead.
    """
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
        "ends": ends,
        "spread": "" if spread is None or np.isnan(spread) else f"{spread:.{digits}f}",
    }


def table(name: str, rows: DataFrame, titles: Mapping[str, str], digits: int = 2) -> Element:
    """The columns of `titles` of a table, so titled."""
    cells = [
        [cell(value, digits, style=STYLED.get(value, "")) for value in row]
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


STYLED = {"agrees": "agrees", "differs": "differs"}
"""Words with a style of their own."""


def score_table(name: str, summary: DataFrame, names: Names) -> Element:
    """`summary.score_table` of one data set: mean ± spread, references in a body of their own.

    The best mean of each score is bold.
    """
    counts = summary.columns[summary.columns.str.endswith("_count")]
    scores = [column.removesuffix("_count") for column in counts]
    settings = "setting" in summary and summary["setting"].ne("").any()
    if settings:
        summary = summary.assign(setting_rank=rank_settings(summary["setting"]))
    trained = summary[~summary["reference"]]
    best = {
        score: trained[score].max() if names.sign(score) > 0 else trained[score].min()
        for score in scores
    }
    bodies = []
    for references in (False, True):
        rows = [
            [
                cell(names.label(row["method"])),
                *([_setting_cell(row, names)] if settings else []),
                _count_cell([int(row[count]) for count in counts]),
                *(
                    cell(
                        row[score],
                        spread=row.get(f"{score}_spread"),
                        style="top" if not references and row[score] == best[score] else "",
                        ends=_find_ends(row, score),
                    )
                    for score in scores
                ),
            ]
            for row in summary[summary["reference"] == references].to_dict("records")
        ]
        if rows:
            bodies.append({"rows": rows, "references": references})
    titles = [("Method", False), *([("Setting", False)] if settings else []), ("Models", True)]
    titles += [(names.label(score), True) for score in scores]
    return {
        "kind": "table",
        "name": name,
        "sortable": True,
        "columns": [{"title": title, "number": number} for title, number in titles],
        "bodies": bodies,
    }


def _find_ends(row: Mapping[Any, Any], score: str) -> tuple[float, float]:
    """The interval of a mean over the models of one setting, which differ in their seed."""
    count = row[f"{score}_count"]
    error = np.float64(row.get(f"{score}_spread", np.nan)) / np.sqrt(max(count, 1))
    low, high = student_interval(row[score], error, count)
    return float(low), float(high)


def _setting_cell(row: Mapping[Any, Any], names: Names) -> Element:
    """A setting, which a click sorts by its values."""
    return cell(names.label_setting(row["setting"])) | {"sort": int(row["setting_rank"])}


def _count_cell(counts: Sequence[int]) -> Element:
    """How many models the scores of a row are over: the fewest and the most."""
    fewest, most = min(counts), max(counts)
    return cell(most) | ({"text": f"{fewest:,}{DASH}{most:,}"} if fewest < most else {})
