"""The origin of a results folder's numbers, and hashes to tell whether two folders agree."""

import hashlib
import io
import json
from pathlib import Path

from pandas import DataFrame
from pyarrow import csv

from ...sweep.store.results import Results
from ..tables import ResultsReader, open_results
from . import elements
from .parts import Report, Shown, section

# What identifies a score, then its value.
HASHED = (
    *("trial_id", "representation", "metric", "score"),
    *("metric_version", "parameters_hash", "metric_seed", "value"),
)

TITLES = {
    "teasel_version": "Teasel",
    "code": "Versions and commits",
    "jax_version": "JAX",
    "numpy_version": "NumPy",
    "sklearn_version": "scikit-learn",
    "device": "Device",
    "host": "Host",
    "data_source": "Data source",
    "data_fingerprint": "Data fingerprint",
    "steps": "Training steps",
}


def fingerprints(results: ResultsReader | str | Path) -> DataFrame:
    """SHA-256 of the study and of its scores: folders with equal hashes have equal content.

    The hash of the scores is over the rows (`HASHED` columns, sorted by them) as CSV without a
    header, so it does not depend on the number of files or on the order in which they were made.

    Args:
        results: a path, a URI or an open results folder.

    Returns:
        A row each for "study.json" (the file) and "scores": what, num_rows, sha256.
    """
    folder = open_results(results)
    if isinstance(folder, Results):
        study = folder.store.read("study.json")
    else:
        study = json.dumps(folder.study, sort_keys=True).encode()
    table = folder.table("scores").select(list(HASHED))
    rows = io.BytesIO()
    csv.write_csv(
        table.sort_by([(name, "ascending") for name in HASHED]),
        rows,
        csv.WriteOptions(include_header=False),
    )
    found = [("study.json", 1, study), ("scores", len(table), rows.getvalue())]
    return DataFrame(
        [(what, count, hashlib.sha256(content).hexdigest()) for what, count, content in found],
        columns=["what", "num_rows", "sha256"],
    )


@section("provenance", "Provenance")
def make_section(report: Report) -> Shown:
    """Versions, hardware, hours, hashes."""
    facts = []
    for column, title in TITLES.items():
        if column in report.trials:
            counts = report.trials[column].dropna().value_counts()
            values = [
                f"{value:,}" if isinstance(value, int) else str(value) for value in counts.index
            ]
            facts.append((title, ", ".join(values)))
    scores = report.folder.table("scores")
    errors = len(scores) - scores["value"].drop_null().length()
    requests = scores.group_by(["trial_id", "representation", "metric", "parameters_hash"])
    seconds = requests.aggregate([("seconds", "max")])["seconds_max"].to_pandas().sum()
    facts += [
        ("Hours of training", f"{report.trials['train_seconds'].sum() / 3600:,.2f}"),
        ("Hours of encoding", f"{report.trials['encode_seconds'].sum() / 3600:,.2f}"),
        ("Hours of scoring", f"{seconds / 3600:,.2f}"),
        ("Scores", f"{len(scores) - errors:,}, and {errors:,} not defined"),
        ("Failed attempts", f"{len(report.folder.table('failures')):,}"),
    ]
    for row in fingerprints(report.folder).itertuples():
        facts.append((f"SHA-256 of {row.what}", row.sha256))
    rows = DataFrame(facts, columns=["what", "value"])
    return [elements.table("provenance-table", rows, {"what": "Fact", "value": "Value"})]
