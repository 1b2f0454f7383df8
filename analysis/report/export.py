"""A small export of a results folder: its scores in two files, and its report as text."""

import html
import re
from collections.abc import Callable, Iterator
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ...errors import UnknownNameError
from ...sweep.store.results import ResultsError
from ...words import printable
from ..choice import Parameters, Seed
from ..latex import LONG, escape, format_interval, make_tabular
from ..plots.style import save_pdf, save_svg
from ..statistics.resampling import MIN_SEEDS
from ..tables import ResultsReader, open_results, scores, trials
from .elements import Element
from .page import describe_study, list_notices, make_sections, raise_failed, read_report

SECTIONS = (
    *("found", "progress", "scores", "agreement", "importance", "hyperparameters", "strength"),
    *("selection", "usefulness", "power", "studies", "provenance"),
)
"""The sections of the report that need no pictures of models."""

BEGIN = r"""\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,graphicx}
\newcommand{\narrow}[1]{\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{#1}}
\newcommand{\fit}[1]{\resizebox*{!}{\ifdim\totalheight>.9\textheight
  .9\textheight\else\totalheight\fi}{\narrow{#1}}}
\setlength{\parindent}{0pt}
\begin{document}

\section*{%s}"""

READING = """\
`scores.parquet` holds a row per model and representation with a column per score, `trials.parquet`
a row per model; pandas, DuckDB and Polars read them as they are.

```python
import pandas as pd
from teasel.analysis import figure_2

scores = pd.read_parquet("scores.parquet")
figure_2(scores[scores["representation"] == "mean"])
```"""

INTERVAL = f"with its 95 % interval where there are {MIN_SEEDS} seeds or more"

LEFT_OUT = ["host", "attempt_id", "pack_id"]
"""Columns that describe machines, not models."""


def export(
    results: ResultsReader | str | Path,
    folder: str | Path,
    more: str | Path | None = None,
    parameters: Parameters = None,
    metric_seed: Seed = None,
    beside: ResultsReader | str | Path | None = None,
    form: str = "markdown",
) -> Path:
    r"""Writes a page about a results folder, and its scores; returns the page's path.

    In Markdown the page is ``README.md``, with its figures beside it as SVG. In LaTeX it is
    ``report.tex``, with each figure as a PDF and each table as a file for a paper to `\input`, with
    means ± intervals. ``trials.parquet`` and ``scores.parquet`` (wide, with both representations)
    hold everything that the analysis needs, without codes, pictures and parameters.

    Args:
        results: a path, a URI or an open results folder.
        folder: the folder to write, which is made if it doesn't exist.
        more: a JSON file with further published numbers, see `published`.
        parameters: the metric parameters to choose, as in `scores`.
        metric_seed: the metric seed to choose.
        beside: a second study to compare with.
        form: "markdown" or "tex".

    Raises:
        ResultsError: if there is no study, no finished model or no such score, if the two studies
            cannot be read as one, or if `folder` is a file.
        UnknownNameError: if there is no such form.
    """
    if form not in FORMS:
        raise UnknownNameError("form", form, FORMS)
    opened, folder, shape = open_results(results), Path(folder), FORMS[form]
    if folder.exists() and not folder.is_dir():
        raise ResultsError(f"{folder} is a file: expected a folder or a new name")
    choice = (parameters, metric_seed)
    report = read_report(opened, more, *choice, beside)
    report = report._replace(trials=report.trials.drop(columns="host"))
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"trials": trials(opened), "scores": scores(opened, None, True, *choice)}
    for name, table in tables.items():
        table = table.drop(columns=LEFT_OUT, errors="ignore")
        table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)
    sections = make_sections(report, SECTIONS)
    title = f"{report.folder.study['study']}: results"
    lines = [shape.begin % shape.escape(title), shape.escape(describe_study(report))]
    lines += [shape.notice % shape.escape(words) for words in list_notices(report)]
    lines += [shape.reading]
    for section in sections:
        lines += [shape.section % shape.escape(section["title"])]
        for element in section["elements"]:
            lines += write(element, folder, form)
    page = folder / shape.page
    page.write_text("\n\n".join(filter(None, [*lines, shape.end])) + "\n", encoding="utf-8")
    raise_failed(sections, page)
    return page


def write(element: Element, folder: Path, form: str = "markdown") -> Iterator[str]:
    """An element of the report as text. In LaTeX its tables are files too, as all figures are."""
    kind, shape = element["kind"], FORMS[form]
    if kind == "heading":
        yield shape.heading % shape.escape(element["text"])
    elif kind == "text" and element["style"] != "page":
        words = element["text"]
        if "spread" in element["style"]:  # what the page says of the cells' second number
            words = words.replace("± standard deviation over seeds", shape.spread)
        yield shape.escape(words)
    elif kind == "figure":
        yield shape.figure(element, folder)
    elif kind == "table":
        yield shape.table(element, folder)
    elif kind in ("pair", "details"):
        for inner in element["elements"]:
            yield from write(inner, folder, form)


def _figure_in_markdown(figure: Element, folder: Path) -> str:
    name, caption = f"{figure['name']}.svg", as_text(figure["caption"])
    save_svg(figure["figure"], folder / name)
    return f"![{caption}]({quote(name)})\n\n{caption}"


def _figure_in_tex(figure: Element, folder: Path) -> str:
    name, caption = f"{figure['name']}.pdf", escape(figure["caption"])
    save_pdf(figure["figure"], folder / name)
    shown = rf"\begin{{center}}\fit{{\includegraphics{{{name}}}}}\end{{center}}"
    return "\n\n".join(filter(None, [shown, caption]))


def _table_in_tex(table: Element, folder: Path) -> str:
    name = f"{table['name']}.tex"
    (folder / name).write_text(_make_tabular(table), encoding="utf-8")
    return rf"\begin{{center}}\fit{{\input{{{name}}}\unskip}}\end{{center}}"


def _make_tabular(table: Element) -> str:
    rows = [cells for body in table["bodies"] for cells in body["rows"]]
    columns = "".join(
        "r" if column["number"] else _choose_width([cells[place]["text"] for cells in rows])
        for place, column in enumerate(table["columns"])
    )
    titles = [escape(column["title"].strip()) for column in table["columns"]]
    return make_tabular(titles, [list(map(_format_cell, cells)) for cells in rows], columns)


def _choose_width(words: list[str]) -> str:
    """The LaTeX column type for words, which breaks long words that can be broken."""
    longest = max(words, key=len, default="")
    can_break = max(map(len, longest.split()), default=0) < LONG < len(longest)
    return r"p{.3\linewidth}" if can_break else "l"


def _format_cell(cell: Element) -> str:
    """A cell in LaTeX, with its interval if it has one, and bold if it is the best."""
    low, high = cell.get("ends", (nan, nan))
    known = isfinite(low) and isfinite(high)
    words = format_interval(cell["sort"], low, high) if known else escape(cell["text"])
    return rf"\textbf{{{words}}}" if cell["style"] == "top" else words


def _table_in_markdown(table: Element, folder: Path) -> str:
    columns = table["columns"]
    rows = [[column["title"].strip() for column in columns]]
    rows.append(["--:" if column["number"] else "---" for column in columns])
    for body in table["bodies"]:
        for cells in body["rows"]:
            spreads = [f" ± {cell['spread']}" if cell["spread"] else "" for cell in cells]
            rows.append(
                [cell["text"] + spread for cell, spread in zip(cells, spreads, strict=True)]
            )
    return "\n".join(f"| {' | '.join(map(as_text, row))} |" for row in rows)


def as_text(words: str) -> str:
    """The words escaped for Markdown."""
    escaped = re.sub(r"[\[\]`|\\]", r"\\\g<0>", printable(words).replace("\n", " "))
    return html.escape(escaped, quote=False)


class _Form(NamedTuple):
    """A format of the report: its page, and what writes its parts."""

    page: str
    escape: Callable[[str], str]
    figure: Callable[[Element, Path], str]
    table: Callable[[Element, Path], str]
    begin: str
    notice: str
    section: str
    heading: str
    spread: str
    reading: str
    end: str = ""


FORMS = {
    "markdown": _Form(
        *("README.md", as_text, _figure_in_markdown, _table_in_markdown),
        *("# %s", "> %s", "## %s", "### %s", "± standard deviation over seeds"),
        f"Made by `teasel report DIR --export FOLDER`; do not edit it by hand.\n\n{READING}",
    ),
    "tex": _Form(
        *("report.tex", escape, _figure_in_tex, _table_in_tex),
        *(BEGIN, r"\begin{quote}%s\end{quote}", r"\section*{%s}", r"\subsection*{%s}", INTERVAL),
        "",
        r"\end{document}",
    ),
}
