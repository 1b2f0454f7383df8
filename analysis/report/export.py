"""A results folder made small: its scores in two files, and its report as Markdown, to commit."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ...words import printable
from ..choice import Parameters, Seed
from ..plots.style import save_svg
from ..tables import ResultsReader, open_results, scores, trials
from .elements import Element
from .page import (
    describe_study,
    list_notices,
    make_sections,
    raise_failed,
    read_report,
)

SECTIONS = (
    *("found", "progress", "scores", "agreement", "importance", "hyperparameters", "strength"),
    *("selection", "usefulness", "power", "studies", "provenance"),
)
"""Those of the report that need no picture of a model."""

READING = """\
`scores.parquet` holds a row per model and representation with a column per score, `trials.parquet`
a row per model; pandas, DuckDB and Polars read them as they are.

```python
import pandas as pd
from teasel.analysis import figure_2

scores = pd.read_parquet("scores.parquet")
figure_2(scores[scores["representation"] == "mean"])
```"""

LEFT_OUT = ["host", "attempt_id", "pack_id"]
"""Columns that tell of the machines, not of the models."""


def export(
    results: ResultsReader | str | Path,
    folder: str | Path,
    more: str | Path | None = None,
    parameters: Parameters = None,
    metric_seed: Seed = None,
    beside: ResultsReader | str | Path | None = None,
) -> Path:
    """The path of a ``README.md`` about a results folder, which it writes with the scores.

    Beside it stand ``trials.parquet``, ``scores.parquet`` (wide, of both representations) and the
    figures as SVG: everything that the analysis takes, without codes, pictures and parameters.

    Args:
        results: a path, a URI or an open results folder.
        folder: where to; made if it isn't there.
        more: a JSON file with published numbers of your own, see `published`.
        parameters: which of several sets of metrics' parameters, as in `scores`.
        metric_seed: which of several metric seeds.
        beside: another study, to be compared with this.

    Raises:
        ResultsError: if there is no study, no model is done, no such score, or the two studies
            cannot be read as one.
    """
    opened, folder = open_results(results), Path(folder)
    choice = (parameters, metric_seed)
    report = read_report(opened, more, *choice, beside)
    report = report._replace(trials=report.trials.drop(columns="host"))
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"trials": trials(opened), "scores": scores(opened, None, True, *choice)}
    for name, table in tables.items():
        table = table.drop(columns=LEFT_OUT, errors="ignore")
        table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)
    lines = [f"# {as_text(report.folder.study['study'])}: what its results show"]
    lines += [as_text(describe_study(report))]
    lines += [f"> {as_text(words)}" for words in list_notices(report)]
    lines += ["Made by `teasel report DIR --export FOLDER`; do not edit it by hand.", READING]
    sections = make_sections(report, SECTIONS)
    for section in sections:
        lines += [f"## {as_text(section['title'])}"]
        for element in section["elements"]:
            lines += write_markdown(element, folder)
    page = folder / "README.md"
    page.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    raise_failed(sections, page)
    return page


def write_markdown(element: Element, folder: Path) -> Iterator[str]:
    """An element of the report in Markdown; its figure is written into the folder."""
    kind = element["kind"]
    if kind == "heading":
        yield f"### {as_text(element['text'])}"
    elif kind == "text" and element["style"] != "page":
        yield as_text(element["text"])
    elif kind == "figure":
        name = f"{element['name']}.svg"
        save_svg(element["figure"], folder / name)
        caption = as_text(element["caption"])
        yield f"![{caption}]({quote(name)})\n\n{caption}"
    elif kind == "table":
        yield _format_table(element)
    elif kind in ("pair", "details"):
        for inner in element["elements"]:
            yield from write_markdown(inner, folder)


def _format_table(table: Element) -> str:
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
    """The words as Markdown that shows them, and means nothing else."""
    escaped = re.sub(r"[\[\]`|\\]", r"\\\g<0>", printable(words).replace("\n", " "))
    return html.escape(escaped, quote=False)
