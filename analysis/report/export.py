"""A results folder made small: its scores in two files, and its report as Markdown, to commit."""

from collections.abc import Iterator
from pathlib import Path

from ..plots.style import save_svg
from ..tables import ResultsReader, open_results, scores, trials
from .elements import Block
from .page import lead, make_sections, notices, raise_failed, read

SECTIONS = (
    *("progress", "scores", "agreement", "importance", "strength", "selection", "usefulness"),
    *("power", "provenance"),
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

LEFT_OUT = ["host", "part", "pack_id"]
"""Columns that tell of the machines, not of the models."""


def export(
    results: ResultsReader | str | Path, folder: str | Path, more: str | Path | None = None
) -> Path:
    """The path of a ``README.md`` about a results folder, which it writes with the scores.

    Beside it stand ``trials.parquet``, ``scores.parquet`` (wide, of both representations) and the
    figures as SVG: everything that the analysis takes, without codes, pictures and parameters.

    Args:
        results: a path, a URI or an open results folder.
        folder: where to; made if it isn't there.
        more: a JSON file with published numbers of your own, see `published`.

    Raises:
        ResultsError: if there is no study, or no model is done.
    """
    opened, folder = open_results(results), Path(folder)
    report = read(opened, more)
    report = report._replace(trials=report.trials.drop(columns="host"))
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"trials": trials(opened), "scores": scores(opened, representation=None, wide=True)}
    for name, table in tables.items():
        table = table.drop(columns=LEFT_OUT, errors="ignore")
        table.to_parquet(folder / f"{name}.parquet", compression="zstd", index=False)
    lines = [f"# {report.folder.study['study']}: what its results show", lead(report)]
    lines += [f"> {words}" for words in notices(report)]
    lines += ["Made by `teasel report DIR --export FOLDER`; do not edit it by hand.", READING]
    sections = make_sections(report)
    for section in sections:
        if section["name"] in SECTIONS:
            lines += [f"## {section['title']}"]
            lines += [words for block in section["blocks"] for words in _markdown(block, folder)]
    page = folder / "README.md"
    page.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    raise_failed(sections, page)
    return page


def _markdown(block: Block, folder: Path) -> Iterator[str]:
    """A block of the report in Markdown; its figure is written into the folder."""
    kind = block["kind"]
    if kind == "heading":
        yield f"### {block['text']}"
    elif kind == "text" and block["style"] != "page":
        yield block["text"]
    elif kind == "figure":
        name = f"{block['name']}.svg"
        save_svg(block["figure"], folder / name)
        yield f"![{block['caption']}]({name})\n\n{block['caption']}"
    elif kind == "table":
        titles = [column["title"].strip() for column in block["columns"]]
        rows = [titles, ["--:" if column["number"] else "---" for column in block["columns"]]]
        for body in block["bodies"]:
            for cells in body["rows"]:
                spreads = [f" ± {cell['spread']}" if cell["spread"] else "" for cell in cells]
                rows.append(
                    [cell["text"] + spread for cell, spread in zip(cells, spreads, strict=True)]
                )
        yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    elif kind in ("pair", "folded"):
        for part in block["parts"]:
            yield from _markdown(part, folder)
