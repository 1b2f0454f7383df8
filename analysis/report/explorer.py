"""The explorer: a page for looking at every model, with axes, brushes, filters and pictures."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from pandas import DataFrame, Series
from pandas.api.types import is_numeric_dtype

from ...sweep.store.tables import TRIALS
from ...version import __version__
from ..formats import format_strength
from ..names import LOSSES, Names
from ..summary import exemplars
from ..tables import SETTING, TRAINING
from .parts import Report
from .pictures import ranking_score

MEASURED = (*LOSSES, "elbo", "bits_per_dimension", "train_seconds")
"""Columns of the table `trials` that result from training."""

MOST_LEVELS = 12
"""Numbers with at most this many distinct values are shown like words, evenly spaced."""

DIGITS, CURVE_DIGITS = 4, 6
"""Significant digits of a score, and of a loss along training."""

MOST_POINTS = 50
"""The most points of a training curve."""

MOST_PICTURES = 64 * 2**20
"""The most bytes of pictures beside the page."""

Column = dict[str, Any]


def explorer_path(report_path: Path) -> Path:
    """The path of a report's explorer: `explorer.html` beside `report.html`."""
    stem = report_path.stem
    return report_path.with_name("explorer.html" if stem == "report" else f"{stem}_explorer.html")


def write_explorer(report: Report, page: Path, beside: Path) -> None:
    """Writes the page, and the files that it loads to the folder `beside`.

    `explorer-data.js` has the models, and `explorer-curves.js` their training curves, which the
    page loads once a model is chosen. `plotly.min.js` draws. The files are separate, so that a
    server can update the models alone.
    """
    from plotly.offline import get_plotlyjs

    pictures = _write_pictures(report, beside)
    curves = read_curves(report)
    data = read_models(report) | {"pictures": pictures, "curves": bool(curves["models"])}
    scripts = {
        "explorer-data.js": f'globalThis.explorerData = "{pack(data)}";\n',
        "explorer-curves.js": f'globalThis.explorerCurves = "{pack(curves)}";\n',
        "plotly.min.js": get_plotlyjs(),
    }
    for name, text in scripts.items():
        (beside / name).write_text(text, encoding="utf-8")
    page.write_text(render_explorer(str(report.folder.study["study"]), beside.name), "utf-8")


def render_explorer(study: str, beside: str, seconds: float | None = None) -> str:
    """The page as HTML; it holds no model itself.

    Args:
        study: its name.
        beside: the folder with the files that the page loads; none for a served page.
        seconds: the time between two readings of the folder, for a served page.
    """
    page = find_template("explorer.html")
    facts = {"version": __version__, "script": read_script("explorer.js"), "seconds": seconds}
    return page.render(title=study, files=beside, **facts)


def find_template(name: str, **filters: Callable[[str], str]) -> jinja2.Template:
    """A template of this room with such filters; of a page, what is filled in is escaped."""
    is_page = name.endswith(".html")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("teasel.analysis.report", ""),
        autoescape=is_page,
        trim_blocks=True,
        lstrip_blocks=not is_page,
        keep_trailing_newline=not is_page,
    )
    environment.filters |= filters
    return environment.get_template(name)


def read_script(name: str) -> str:
    """The text of a script of the page."""
    return (files("teasel.analysis.report") / name).read_text(encoding="utf-8")


def pack(value: Any) -> str:
    """A JSON value as text without any character that HTML or a script could misinterpret."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def read_models(report: Report) -> dict[str, Any]:
    """Every finished model of a study, by columns.

    A column has its values by representation, or under "" if it has only one set. The values of a
    column with levels are indices into them. A missing number is None, and a missing level is the
    empty one.
    """
    rows, names = report.trials, report.names
    identity = ["dataset", "method", "setting"]
    hyperparameters = [name for name in rows if name not in {*TRIALS, *SETTING}]
    given = [str(name) for name in (*hyperparameters, *TRAINING) if name in rows]
    varying = [name for name in given if rows[name].nunique(dropna=False) > 1]
    columns = [_read_column(rows, name, names) for name in (*identity, *varying, "seed")]
    for name in MEASURED:
        if name in rows and rows[name].notna().any():
            values = {"": round_numbers(rows[name])}
            columns.append(_name_column(name, "Training", names) | {"values": values})
    tables = {"mean": report.mean, "sampled": report.sampled}
    scored = {kind: _read_scores(table, rows) for kind, table in tables.items()}
    scores = dict.fromkeys(str(name) for found in scored.values() for name in found)
    for name in sorted(scores, key=lambda name: name not in names.labels):  # the first are the axes
        values = {
            kind: round_numbers(found[name]) for kind, found in scored.items() if name in found
        }
        columns.append(_name_column(name, "Scores", names) | {"values": values})
    return {
        "study": str(report.folder.study["study"]),
        "models": rows["trial_id"].to_list(),
        "columns": columns,
        "kinds": [kind for kind, found in scored.items() if not found.empty],
        "ranking": ranking_score(report.trained),
    }


def _read_scores(table: DataFrame, rows: DataFrame) -> DataFrame:
    """The scores that at least one model has, with a row per model."""
    known = {*rows, *TRIALS}
    found = [name for name in table if name not in known and is_numeric_dtype(table[name])]
    scores = table.set_index("trial_id")[found].reindex(rows["trial_id"])
    return scores.replace([np.inf, -np.inf], np.nan).dropna(axis="columns", how="all")


def _read_column(rows: DataFrame, name: str, names: Names) -> Column:
    """A column that distinguishes models, with levels if it has words or few numbers."""
    values, column = rows[name], _name_column(name, "Model", names)
    numbers = is_numeric_dtype(values)
    if numbers and values.nunique() > MOST_LEVELS:
        return column | {
            "values": {"": [None if np.isnan(one) else one for one in values.to_list()]}
        }
    known = list(dict.fromkeys(values.dropna()))
    known = sorted(known) if numbers else known
    places = Series(range(len(known)), index=known, dtype=int)
    missing = bool(values.isna().any())
    codes = values.map(places).fillna(len(known)).astype(int).to_list()
    levels = [format_strength(one) if numbers else str(one) for one in known]
    label = names.label_setting if name == "setting" else names.label
    labels = levels if numbers else [label(one) or "the only one" for one in levels]
    colours = [names.colours.get(one) for one in levels] if name == "method" else []
    return column | {
        "values": {"": codes},
        "levels": levels + [""] * missing,
        "labels": labels + ["none"] * missing,
        "colours": colours,
    }


def _name_column(name: str, group: str, names: Names) -> Column:
    label = "Data set" if name == "dataset" else names.label(name)
    label = label[:1].upper() + label[1:] if name in {*TRIALS, "setting"} else label
    return {"name": name, "label": label, "group": group}


def round_numbers(numbers: Iterable[float], digits: int = DIGITS) -> list[float | None]:
    """The numbers rounded to their significant digits; NaN and infinity become None.

    >>> round_numbers([0.123456, float("nan"), 1234567.0])
    [0.1235, None, 1235000.0]
    """
    return [float(f"{one:.{digits}g}") if np.isfinite(one) else None for one in numbers]


def read_curves(report: Report) -> dict[str, Any]:
    """The training curves of the report's models, each at a few of its steps."""
    table = report.folder.table("curves").to_pandas()
    table = table[table["trial_id"].isin(report.trials["trial_id"])]
    terms = [
        name
        for name in table
        if name not in ("trial_id", "step", "attempt") and is_numeric_dtype(table[name])
        if table[name].notna().any()
    ]
    place = {trial_id: number for number, trial_id in enumerate(report.trials["trial_id"])}
    steps: dict[tuple[int, ...], int] = {}
    models = {}
    for trial_id, rows in table.sort_values("step", kind="stable").groupby("trial_id"):
        few = np.unique(np.linspace(0, len(rows) - 1, MOST_POINTS).round().astype(int))
        shown = rows.iloc[few]
        known = steps.setdefault(tuple(shown["step"].to_list()), len(steps))
        models[place[trial_id]] = [
            known,
            *(round_numbers(shown[name], CURVE_DIGITS) for name in terms),
        ]
    labels = [_name_column(name, "", report.names)["label"] for name in terms]
    return {"terms": labels, "steps": list(steps), "models": models}


def name_picture(trial_id: str, kind: str) -> str:
    """A valid name for the file of a picture, whatever the two arguments contain."""
    return re.sub(r"[^\w-]", "_", f"{trial_id}-{kind}") + ".png"


def _write_pictures(report: Report, beside: Path) -> dict[int, list[tuple[str, str]]]:
    """Writes pictures of models; returns their kinds and addresses by the model's index.

    Pictures of the gallery's models come first, followed by as many others as there is room for.
    """
    stored = report.folder.table("pictures").to_pandas()
    place = {trial_id: number for number, trial_id in enumerate(report.trials["trial_id"])}
    stored = stored[stored["trial_id"].isin(list(place))]
    if stored.empty:
        return {}
    score = ranking_score(report.trained)
    first = set()
    if score is not None:
        chosen = exemplars(report.trained, score, ("dataset", "method"), report.names)
        first = set(chosen["trial_id"])
    ranks = DataFrame(
        {"later": ~stored["trial_id"].isin(first), "at": stored["trial_id"].map(place)}
    )
    stored = stored.loc[ranks.sort_values(["later", "at"], kind="stable").index]
    stored = stored[stored["png"].map(len).cumsum() <= MOST_PICTURES]
    folder, found = beside / "pictures", {}
    folder.mkdir(exist_ok=True)
    for row in stored.to_dict("records"):
        name = name_picture(row["trial_id"], row["kind"])
        (folder / name).write_bytes(row["png"])
        address = (row["kind"], f"{beside.name}/pictures/{name}")
        found.setdefault(place[row["trial_id"]], []).append(address)
    return found
