"""Results folders of earlier versions, read as if they had been written today.

Nothing else knows what the versions before this one called things. A folder keeps its files as they
are; what is written to it from now on stands beside them.

Version 2 calls an attempt's name `attempt_id` (`part` before), splits a failure's `exception` into
`exception_type` and `message`, gives each model its share of its pack's seconds and the `precision`
of its training, and each score the version of its `points` and the attempt of its model (where that
is null, nobody knows). It gives files digests, and describes in ``study.json`` what a study names:
`catalogue`, and for each grid `representations`, `metric_seed` and `requests_of`.
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
"""The columns of version 1 that a column of today is made from, beside the one of its name."""


_FACTS = json.loads((files("teasel.sweep.store") / "version_1.json").read_text(encoding="utf-8"))
REFERENCES, METHODS, METRICS = (_FACTS[kind] for kind in ("references", "methods", "metrics"))
DATASET_LABELS, FACTORS = _FACTS["datasets"]["labels"], _FACTS["datasets"]["factors"]
"""What the names of version 1 meant: facts, whatever a catalogue says of them today. Of a method
its label, colour and reference; of a data set the names of its reported factors."""

_RAW_PIXELS_METRICS = ("beta_vae_score", "factor_vae_score")
_DRIVER_FACTS = {"share": "shard", "pids": "pid_namespace"}


_LATER_SETTINGS = {*Settings._fields[Settings._fields.index("network") :]}

ADDED = {(1, "points")}
"""Versions, and columns that tell rows apart and that their files lack."""


def stored_columns(table: str, version: int, columns: Iterable[str]) -> list[str]:
    """The columns to read of a file of this version, to get these columns of today's."""
    if version >= 2:
        return list(columns)
    sources = (name for column in columns for name in (*_SOURCES.get((table, column), ()), column))
    return list(dict.fromkeys(sources))


def upgrade_table(
    table: str, version: int, rows: pa.Table, file: str, columns: Iterable[str] | None = None
) -> pa.Table:
    """The rows of a file of this version, with today's columns.

    Args:
        table: trials, scores, curves, pictures or failures.
        version: Of the file.
        rows: As they are stored, or some of their columns.
        file: Its name: that of the attempt that wrote it, unless it was compacted.
        columns: Those that are asked for; None for all.
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
    """Rows with the settings that there were none of when they were written: at their defaults."""
    for name in _LATER_SETTINGS if columns is None else _LATER_SETTINGS & {*columns}:
        default = pa.scalar(Settings._field_defaults[name], TRIALS[name])
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(default, len(rows)))
        elif rows[name].null_count:
            filled = pc.call_function("coalesce", [rows[name].cast(TRIALS[name]), default])
            rows = rows.set_column(rows.column_names.index(name), name, filled)
    return rows


def _upgrade_trials(rows: pa.Table) -> pa.Table:
    """Rows whose seconds were those of the pack, and whose precision a CPU's device tells."""
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
    """What the file of a driver says, by today's names; one of version 1 may have been killed."""
    return {_DRIVER_FACTS.get(name, name): value for name, value in facts.items()}


def upgrade_study(study: dict[str, Any]) -> dict[str, Any]:
    """The content of a ``study.json`` as today's version has it.

    Its `schema_version` stays what the folder has, until it is written anew.
    """
    if study["schema_version"] >= 2:
        return study
    if "grids" not in study:  # written by hand
        return study | {"catalogue": _catalogue_of([])}
    grids = [_upgrade_grid(entry) for entry in study["grids"]]
    return study | {"grids": grids, "catalogue": _catalogue_of(grids)}


def _upgrade_grid(entry: dict[str, Any]) -> dict[str, Any]:
    """A grid's entry, with what version 1 left in its YAML, or in the program."""
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
    """What the names of some grids meant in version 1.

    All of Teasel's metrics are there: `teasel rescore` left no word of what it added. An entry of
    another package gets its name as its label, and the parameters it was used with as defaults.
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
