"""Reads results folders of earlier versions as if the current version had written them.

Only this module knows the names used by earlier versions. A folder keeps its old files, and new
ones are added beside them.

Version 2 calls an attempt's name `attempt_id` (before: `part`), splits a failure's `exception` into
`exception_type` and `message`, gives each model its share of its pack's seconds and the `precision`
of its training, and each score the version of its `points` and the attempt of its model (null
if unknown). It gives files digests, and adds to ``study.json`` the `catalogue` of a study's names
and, for each grid, `representations`, `metric_seed` and `requests_of`.
"""

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml

from ...settings import Settings
from ...words import readable
from .tables import TRIALS

_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*): (.*)", re.DOTALL)

_SOURCES = {
    ("trials", "attempt_id"): ["part"],
    ("trials", "precision"): ["device"],
    ("trials", "train_seconds"): ["pack_size"],
    ("trials", "encode_seconds"): ["pack_size"],
    ("trials", "pack_train_seconds"): ["train_seconds"],
    ("trials", "pack_encode_seconds"): ["encode_seconds"],
    ("failures", "attempt_id"): ["log"],
    ("failures", "exception_type"): ["exception"],
    ("failures", "message"): ["exception"],
}
"""Columns of version 1 that a current column is computed from, besides the one of its name."""


_FACTS = json.loads((files("teasel.sweep.store") / "version_1.json").read_text(encoding="utf-8"))
REFERENCES, METHODS, METRICS = (_FACTS[kind] for kind in ("references", "methods", "metrics"))
DATASET_LABELS, FACTORS = _FACTS["datasets"]["labels"], _FACTS["datasets"]["factors"]
"""The meaning of names in version 1, whatever the catalogues say now: the label, colour and
reference of a method, and the names of the reported factors of a data set."""

_RAW_PIXELS_METRICS = ("beta_vae_score", "factor_vae_score")
_DRIVER_FACTS = {"share": "shard", "pids": "pid_namespace"}


_LATER_SETTINGS = {*Settings._fields[Settings._fields.index("network") :]}

ADDED = {(1, "points")}
"""Versions, with identity columns that their files lack."""


def stored_columns(table: str, version: int, columns: Iterable[str]) -> list[str]:
    """The columns to read from a file of this version to obtain these current columns."""
    if version >= 2:
        return list(columns)
    sources = (name for column in columns for name in (*_SOURCES.get((table, column), ()), column))
    return list(dict.fromkeys(sources))


def upgrade_table(
    table: str, version: int, rows: pa.Table, file: str, columns: Iterable[str] | None = None
) -> pa.Table:
    """The rows of a file of this version, with the current columns.

    Args:
        table: trials, scores, curves, pictures or failures.
        version: The version of the file.
        rows: The stored rows, or some of their columns.
        file: The name of the file, which contains its attempt's name unless it was compacted.
        columns: The wanted columns; None for all.
    """
    if table == "trials":
        rows = _fill_settings(rows if version >= 2 else _upgrade_trials(rows), columns)
    if version >= 2 or table == "trials":
        return rows
    if table == "failures":
        return _upgrade_failures(rows, file)
    if table == "scores":
        return rows.append_column("points", pa.array([1] * len(rows), pa.int64()))
    return rows


def _fill_settings(rows: pa.Table, columns: Iterable[str] | None) -> pa.Table:
    """The rows with settings added that did not exist when they were written, at their defaults."""
    for name in _LATER_SETTINGS if columns is None else _LATER_SETTINGS & {*columns}:
        default = pa.scalar(Settings._field_defaults[name], TRIALS[name])
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(default, len(rows)))
        elif rows[name].null_count:
            filled = pc.call_function("coalesce", [rows[name].cast(TRIALS[name]), default])
            rows = rows.set_column(rows.column_names.index(name), name, filled)
    return rows


def _upgrade_trials(rows: pa.Table) -> pa.Table:
    """The rows with each model's share of its pack's seconds, and with the precision if known."""
    for name in ("train_seconds", "encode_seconds"):
        if {name, "pack_size"} <= set(rows.column_names):
            share = pc.call_function("divide", [rows[name], rows["pack_size"]])
            rows = rows.append_column(f"pack_{name}", rows[name])
            rows = rows.set_column(rows.column_names.index(name), name, share)
        elif name in rows.column_names:
            rows = rows.append_column(f"pack_{name}", rows[name]).drop_columns([name])
    if "device" in rows.column_names:
        found = ["float32" if one == "cpu" else None for one in rows["device"].to_pylist()]
        rows = rows.append_column("precision", pa.array(found, pa.string()))
    return rows.rename_columns(
        ["attempt_id" if name == "part" else name for name in rows.column_names]
    )


def _upgrade_failures(rows: pa.Table, file: str) -> pa.Table:
    stem = file.rpartition("/")[2].removesuffix(".parquet")
    found: dict[str, list[str | None]] = {}
    if "exception" in rows.column_names:
        lines = rows["exception"].to_pylist()
        matches = [_EXCEPTION.fullmatch(line or "") for line in lines]
        found["exception_type"] = [match[1] if match else None for match in matches]
        found["message"] = [
            match[2] if match else line for match, line in zip(matches, lines, strict=True)
        ]
        rows = rows.drop_columns(["exception"])
    if "log" in rows.column_names:
        logs = [log or "" for log in rows["log"].to_pylist()]
        own = None if stem.startswith("compact-") else stem
        found["attempt_id"] = [
            log.rpartition("/")[2].removesuffix(".log") or own  # a log is named after its attempt
            for log in logs
        ]
    for name, values in found.items():
        rows = rows.append_column(name, pa.array(values, pa.string()))
    return rows


def upgrade_driver(facts: dict[str, Any]) -> dict[str, Any]:
    """The content of a driver's file with the current names; a version 1 driver may be dead."""
    return {_DRIVER_FACTS.get(name, name): value for name, value in facts.items()}


def upgrade_study(study: dict[str, Any]) -> dict[str, Any]:
    """The content of a ``study.json``, converted to the current version.

    Its `schema_version` stays that of the folder until the study is written again.
    """
    if study["schema_version"] >= 2:
        return study
    if "grids" not in study:  # written by hand
        return study | {"catalogue": _catalogue_of([])}
    grids = [_upgrade_grid(entry) for entry in study["grids"]]
    return study | {"grids": grids, "catalogue": _catalogue_of(grids)}


def _upgrade_grid(entry: dict[str, Any]) -> dict[str, Any]:
    """A grid's entry, with what version 1 kept only in the YAML or in the program."""
    try:
        given = yaml.safe_load(entry.get("yaml", ""))
    except (yaml.YAMLError, RecursionError):
        given = None
    given = given if isinstance(given, dict) else {}
    kinds = given.get("representations", ["mean", "sampled"])
    requests_of = {
        method: [
            place
            for place, request in enumerate(entry["metrics"])
            if request["representation"] == "mean"
            and (method != "raw_pixels" or request["metric"] in _RAW_PIXELS_METRICS)
        ]
        for method in entry["methods"]
        if method in REFERENCES
    }
    for cell in (entry, *(cell for cells in entry["methods"].values() for cell in cells)):
        cell["training"].setdefault("precision", "float32")
    return entry | {
        "representations": kinds if isinstance(kinds, list) else [kinds],
        "metric_seed": given.get("metric_seed"),
        "requests_of": requests_of,
    }


def _catalogue_of(grids: list[dict[str, Any]]) -> dict[str, Any]:
    """The catalogue section for the names of some grids of version 1.

    It has all of Teasel's metrics, because `teasel rescore` did not record what it added. An entry
    of another package gets its name as its label, and the parameters that were used as defaults.
    """
    methods = {name: cells for entry in grids for name, cells in entry["methods"].items()}
    requests = [request for entry in grids for request in entry["metrics"]]
    datasets = [data["name"] for entry in grids for data in entry["datasets"]]
    others = {
        request["metric"]: {
            "label": readable(request["metric"]),
            "reference": "",
            "version": request["metric_version"],
            "defaults": request["parameters"],
            "labels": {},
            "lower_is_better": [],
        }
        for request in requests
        if request["metric"] not in METRICS
    }
    return {
        "methods": {name: _describe_method(name, cells) for name, cells in methods.items()},
        "metrics": METRICS | others,
        "datasets": {
            name: {
                "label": DATASET_LABELS.get(name, readable(name)),
                "factors": FACTORS.get(name, []),
            }
            for name in sorted(datasets)
        },
    }


def _describe_method(name: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    label, colour, reference = METHODS.get(name, (readable(name), "", ""))
    kept = ["codes"] if name in REFERENCES else ["parameters", "codes"]
    trained = any(cell["training"]["steps"] for cell in cells)
    if name in METHODS:
        trained = name not in ("untrained", *REFERENCES)
    return {
        "label": label,
        "colour": colour,
        "reference": reference,
        "trained": trained,
        "keeps": [] if name == "raw_pixels" else kept,
    }
