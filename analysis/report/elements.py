"""The elements of a report's page: plain dictionaries that the template lays out."""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from ..formats import DASH, MINUS, count_decimals
from ..names import Names
from ..plots.style import render_svg
from ..statistics.resampling import student_interval
from ..summary import rank_settings

Element = dict[str, Any]


LEAST_SCALE = 0.8
"""The least width of a figure. A narrower page scrolls sideways, because less cannot be read."""


def section(name: str, title: str, *elements: Element | None) -> Element:
    """A section of the page. Elements that are None are skipped."""
    return {"name": name, "title": title, "elements": [one for one in elements if one]}


def text(words: str, style: str = "") -> Element:
    """A paragraph; `style` is a class of the stylesheet, or "page" for text about the page."""
    return {"kind": "text", "text": words, "style": style}


def heading(words: str) -> Element:
    """A heading within a section."""
    return {"kind": "heading", "text": words}


def figure(name: str, drawn: Figure, caption: str = "") -> Element:
    """A figure as inline SVG, and as a PDF beside the page; `name` is unique on the page."""
    name = name.replace("/", "_")  # it becomes the name of a file
    svg = render_svg(drawn, name)
    least = round(LEAST_SCALE * 96 * drawn.get_figwidth())
    shown = {"svg": svg, "caption": caption, "least": least}
    return {"kind": "figure", "name": name, "figure": drawn, **shown}


def data(**tables: DataFrame) -> Element:
    """Links to the numbers behind a section, which are CSV files beside the page."""
    return {"kind": "data", "tables": tables}


def pair(*elements: Element) -> Element:
    """Elements side by side where the page is wide enough."""
    return {"kind": "pair", "elements": elements}


def details(words: str, *elements: Element) -> Element:
    """Elements folded behind a line to click, and open in print."""
    return {"kind": "details", "text": words, "elements": elements}


def gallery(pictures: Sequence[tuple[str, str]], columns: int) -> Element:
    """Pictures (address, caption), with a number of them side by side."""
    shown = [{"source": source, "caption": caption} for source, caption in pictures]
    return {"kind": "gallery", "pictures": shown, "abreast": columns}


def encode_png(png: bytes) -> str:
    """The address of a picture that is embedded in the page."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def walk(element: Element) -> Iterator[Element]:
    """All elements within a section, a pair or details."""
    for one in element.get("elements", ()):
        yield one
        yield from walk(one)


def read(element: Element) -> Iterator[str]:
    """The texts of an element, without those of elements within it."""
    yield from (element[part] for part in ("text", "caption") if part in element)
    yield from (column["title"] for column in element.get("columns", ()))
    yield from (picture["caption"] for picture in element.get("pictures", ()))
    yield from (
        one["text"] for body in element.get("bodies", ()) for row in body["rows"] for one in row
    )
    yield from re.findall(r">([^<]+)</text>", element.get("svg", ""))


def title_tables(section: Element) -> None:
    """Gives each table of a section a title for screen readers."""
    title = section["title"]
    for element in walk(section):
        if element["kind"] == "heading":
            title = f"{section['title']}: {element['text']}"
        elif element["kind"] == "table":
            element["title"] = title


def cell(
    value: Any,
    digits: int | None = None,
    spread: float | None = None,
    style: str = "",
    ends: tuple[float, float] = (np.nan, np.nan),
) -> Element:
    """One cell: a number with `digits` decimals, or with those of its spread; a count unchanged.

    Without room for both, the `ends` of an interval are shown instead.
    """
    if isinstance(value, str):
        style = style or ("long" if len(value) > 40 else "")
        return {"text": value, "number": False, "style": style, "sort": None, "spread": ""}
    if digits is None:
        digits = 2 if spread is None else count_decimals(spread)
    value = value if np.isnan(value) or round(value, digits) else type(value)(0)  # no minus zero
    count = isinstance(value, int | np.integer)
    shown = DASH if np.isnan(value) else f"{value:,}" if count else f"{value:,.{digits}f}"
    return {
        "text": shown.replace("-", MINUS),
        "number": True,
        "style": style,
        "sort": float(value) if not np.isnan(value) else "NaN",
        "ends": ends,
        "spread": _format_spread(spread, digits),
    }


def _format_spread(spread: float | None, digits: int) -> str:
    """A spread in words; 0 if all numbers are equal."""
    if spread is None or np.isnan(spread):
        return ""
    return f"{spread:.{digits}f}" if round(spread, digits) else "0"


LABELLED = ("dataset", "method", "setting", "score", "row", "column", "by")
"""Columns of names that a reader sees as labels."""


def table(
    name: str,
    rows: DataFrame,
    titles: Mapping[str, str],
    digits: int = 2,
    names: Names | None = None,
) -> Element:
    """The columns of a table that have `titles`, with these titles; with labels for `names`."""
    if names is not None:
        for column in (each for each in LABELLED if each in titles):
            label = names.label_setting if column == "setting" else names.label
            rows = rows.assign(**{column: rows[column].map(label)})
    cells = [
        [cell(value, digits, style=STYLED.get(value, "")) for value in row]
        for row in rows[list(titles)].itertuples(index=False)
    ]
    columns = [(title, rows[column].dtype.kind in "if") for column, title in titles.items()]
    return plain_table(name, columns, cells)


def plain_table(
    name: str, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[Element]]
) -> Element:
    """A table of cells; each column has a title and may hold numbers."""
    return {
        "kind": "table",
        "name": name,
        "sortable": False,
        "columns": [{"title": title, "number": number} for title, number in columns],
        "bodies": [{"rows": rows, "references": False}],
    }


STYLED = {"agrees": "agrees", "differs": "differs"}
"""Words that have their own style."""


def score_table(name: str, summary: DataFrame, names: Names, marks_best: bool = True) -> Element:
    """`summary.score_table`: mean ± spread, with references in a separate body.

    The best mean of each score on each data set is bold if `marks_best`. With several data sets,
    each row names its own.
    """
    counts = summary.columns[summary.columns.str.endswith("_count")]
    scores = [column.removesuffix("_count") for column in counts]
    settings = "setting" in summary and summary["setting"].ne("").any()
    if settings:
        summary = summary.assign(setting_rank=rank_settings(summary["setting"]))
    if "dataset" not in summary:
        summary = summary.assign(dataset="")
    several = summary["dataset"].nunique() > 1
    trained = summary[~summary["reference"]].groupby("dataset")
    best = {
        score: trained[score].agg("max" if names.sign(score) > 0 else "min") for score in scores
    }
    bodies = []
    for references in (False, True):
        style = "top" if marks_best and not references else ""
        rows = [
            [
                *([cell(names.label(row["dataset"]))] if several else []),
                cell(names.label(row["method"])),
                *([_setting_cell(row, names)] if settings else []),
                _count_cell([int(row[count]) for count in counts]),
                *(
                    cell(
                        row[score],
                        spread=row.get(f"{score}_spread", np.nan),
                        style=style if row[score] == best[score].get(row["dataset"]) else "",
                        ends=_find_ends(row, score),
                    )
                    for score in scores
                ),
            ]
            for row in summary[summary["reference"] == references].to_dict("records")
        ]
        if rows:
            bodies.append({"rows": rows, "references": references})
    titles = [("Data set", False)] if several else []
    titles += [("Method", False), *([("Setting", False)] if settings else []), ("Models", True)]
    titles += [(names.label(score), True) for score in scores]
    return plain_table(name, titles, []) | {"sortable": True, "bodies": bodies}


def _find_ends(row: Mapping[Any, Any], score: str) -> tuple[float, float]:
    """The interval of a mean over the models of one setting, which differ in seed."""
    count = row[f"{score}_count"]
    error = np.float64(row.get(f"{score}_spread", np.nan)) / np.sqrt(max(count, 1))
    low, high = student_interval(row[score], error, count)
    return float(low), float(high)


def _setting_cell(row: Mapping[Any, Any], names: Names) -> Element:
    """The cell of a setting, which is sorted by its values."""
    return cell(names.label_setting(row["setting"])) | {"sort": int(row["setting_rank"])}


def _count_cell(counts: Sequence[int]) -> Element:
    """The number of models behind the scores of a row: the least and the most."""
    fewest, most = min(counts), max(counts)
    return cell(most) | ({"text": f"{fewest:,}{DASH}{most:,}"} if fewest < most else {})
