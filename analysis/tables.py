"""A results folder as pandas tables: what every other function of this folder takes."""

import functools
import json
import operator
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas import DataFrame

from ..errors import UnknownNameError
from ..sweep.store.results import Results
from ..sweep.store.tables import TRIALS, score_column
from .formats import format_strength
from .names import PAPER_NAMES, Names
from .paper_grid import PAPER_SCORES, paper_grid

MODEL = ("dataset", "method", "setting", "seed")
"""The columns that tell one model from another."""

SETTING = ("dataset", "method", "hyperparameter", "hyperparameter_value", "setting")
"""The columns that tell one setting from another: a cell of the study, of models that differ in
their seed. `setting` alone does within a method; the two before it are its swept value."""

TRAINING = (
    *("steps", "batch_size", "learning_rate", "num_latents", "evaluation_batches"),
    "method_version",
)
"""Columns of `trials` that tell settings apart and are no hyper-parameters of the method."""

SCORE_COLUMNS = ("representation", "metric", "score", "value", "metric_seed", "num_points")
"""Columns of the tidy `scores`, after those that say which model it is."""

MADE_BY = ("metric_version", "parameters_hash", "parameters")
"""Stored columns that tell how a score was made."""


COMPARISONS = ("udr",)
"""Metrics that compare a model with others, which their parameters name: each model has its own."""


class ResultsReader(Protocol):
    """What is asked of a results folder: `teasel.sweep.store.results.Results`, or a made one."""

    @property
    def study(self) -> dict:
        """The frozen study."""
        ...

    def table(self, name: str) -> pa.Table:
        """All rows of one table."""
        ...

    def representation(self, trial_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means, log variances and factors of a model's stored points."""
        ...


class Codes(NamedTuple):
    """The stored posterior of one model, (N, D), and the factors of the same points, (N, K)."""

    means: np.ndarray
    log_variances: np.ndarray
    factors: np.ndarray


def open_results(results: ResultsReader | str | Path) -> ResultsReader:
    """The results folder at a path or URI; one that is open already is returned as it is.

    Raises:
        ResultsError: if no study has been begun there.
    """
    folder = Results(results) if isinstance(results, str | Path) else results
    _ = folder.study  # raises
    return folder


def study_names(results: ResultsReader | str | Path) -> Names:
    """Labels, colours and directions of what a results folder holds, as the folder tells them.

    Raises:
        ResultsError: if there is no study.
    """
    return Names.of_study(open_results(results).study)


def trials(results: ResultsReader | str | Path) -> DataFrame:
    """One row per model: identity, one column per hyper-parameter, losses, provenance.

    Three columns are derived. `hyperparameter` names the method's swept one (the first that
    varies in these results, else the first it has; missing if it has none),
    `hyperparameter_value` is its value, and `setting` tells apart all cells of one method: every
    hyper-parameter or training setting that varies, as in ``"beta=4"``.

    Raises:
        ResultsError: if there is no study.
    """
    table = open_results(results).table("trials").to_pandas()
    return _add_settings(table)


def scores(
    results: ResultsReader | str | Path, representation: str | None = "mean", wide: bool = False
) -> DataFrame:
    """The scores of a results folder, tidy (a row per score) or wide (a row per model).

    Args:
        results: a path, a URI or an open results folder.
        representation: "mean", "sampled", or None for both.
        wide: one column per score, named as the paper names it (``mig``,
            ``dci_disentanglement``, ``downstream_lr_100``, ...), beside losses, the derived
            ``efficiency_lr`` and ``efficiency_gbt`` (accuracy at 100 / accuracy at 10,000), the
            columns of `trials`, and ``other_parameters``, which lists the metrics that were not
            computed with the paper's parameters, or the defaults of a metric that is not the
            paper's.

    Raises:
        ValueError: if `representation` is none of the three.
        ResultsError: if there is no study.
    """
    if representation not in ("mean", "sampled", None):
        raise ValueError(
            f'representation is {representation!r}: expected "mean", "sampled" or None'
        )
    folder = open_results(results)
    models = _add_settings(folder.table("trials").to_pandas())
    wanted = pc.field("value").is_valid()
    if representation:
        wanted &= pc.field("representation") == representation
    table = folder.table("scores").select(["trial_id", *SCORE_COLUMNS, *MADE_BY]).filter(wanted)
    table = _keep_one_version_per_metric(table)
    if not wide:
        return _make_tidy(models, table)
    others = _name_other_parameters(table, Names.of_study(folder.study))
    return _make_wide(models, table, representation).assign(other_parameters=others)


def representation(results: ResultsReader | str | Path, trial_id: str) -> Codes:
    """The stored codes of one model: means and log variances (N, D), factors (N, K)."""
    return Codes(*open_results(results).representation(trial_id))


def as_list(given: str | Iterable[str]) -> list[str]:
    """Names as a list; a lone one is a list of one."""
    return [given] if isinstance(given, str) else list(given)


def split_by(table: DataFrame, column: str) -> dict[str, DataFrame]:
    """The rows of each name in a column, in order of appearance."""
    return {str(name): rows for name, rows in table.groupby(column, sort=False)}


def check_scores(given: str | Iterable[str], *tables: DataFrame) -> list[str]:
    """Score columns as a list; a lone one is a list of one.

    Args:
        given: names of wide columns.
        tables: where they stand; a score of the paper's may be missing there.

    Raises:
        UnknownNameError: if a name is neither a column of a table nor a score of the paper.
    """
    names = as_list(given)
    known = {*PAPER_SCORES, *(column for table in tables for column in table.columns)}
    for name in names:
        if name not in known:
            raise UnknownNameError("score", str(name), PAPER_SCORES)
    return names


def check_models(table: DataFrame, identity: Sequence[str] = MODEL) -> DataFrame:
    """The table as it is: what every statistic over models asks of it is a row per model.

    Args:
        table: wide scores.
        identity: the columns that tell its rows apart.

    Raises:
        ValueError: if two rows share them.
    """
    twice = table[table.duplicated(list(identity))]
    if len(twice):
        dataset, method, setting, seed = twice.iloc[0][list(MODEL)]
        model = ", ".join(filter(None, [dataset, method, setting, f"seed {seed}"]))
        raise ValueError(
            f"two rows of {model}: expected a row per model, so choose one representation, as in "
            "table[table['representation'] == 'mean']"
        )
    return table


def drop_references(table: DataFrame, names: Names = PAPER_NAMES) -> DataFrame:
    """The rows of trained models: without references such as the untrained networks."""
    return table[~table["method"].isin(names.references)]


def list_other_scores(results: ResultsReader) -> list[str]:
    """The wide columns of metrics that the paper lacks: IRS, and those of other packages."""
    names = results.table("scores").group_by(["metric", "score"]).aggregate([]).to_pylist()
    of_paper = paper_grid()["metrics"]
    return sorted(score_column(**name) for name in names if name["metric"] not in of_paper)


def _add_settings(table: DataFrame) -> DataFrame:
    hyperparameters = [name for name in table.columns if name not in TRIALS]
    swept = pd.Series(None, index=table.index, dtype=object)
    value = pd.Series(np.nan, index=table.index, dtype=float)
    setting = pd.Series("", index=table.index, dtype=object)
    for rows in split_by(table, "method").values():
        owned = [name for name in hyperparameters if rows[name].notna().any()]
        given = [name for name in (*owned, *TRAINING) if name in rows]
        varying = [name for name in given if rows[name].nunique() > 1]
        name = next((name for name in owned if name in varying), owned[0] if owned else None)
        if name is not None:
            swept[rows.index] = name
            value[rows.index] = rows[name].astype(float)
        if shown := varying or ([name] if name else []):
            parts = [f"{part}=" + rows[part].map(format_strength) for part in shown]
            words = [", ".join(pairs) for pairs in zip(*parts, strict=True)]
            setting[rows.index] = pd.Series(words, index=rows.index, dtype=object)
    return table.assign(hyperparameter=swept, hyperparameter_value=value, setting=setting)


def _keep_one_version_per_metric(table: pa.Table) -> pa.Table:
    """The rows of every metric made in its most frequent way: two MIGs are no one MIG.

    Of two that are as frequent, the newer version's.
    """
    metric = ["representation", "metric"]
    version = ["metric_version", "parameters_hash", "metric_seed"]
    table, compared = _split_comparisons(table)
    counts = table.group_by([*metric, *version]).aggregate([("value", "count")]).to_pandas()
    counts["newness"] = pd.to_numeric(counts["metric_version"], errors="coerce")
    counts = counts.sort_values(["value_count", "newness"], ascending=False, kind="stable")
    dropped = counts[counts.duplicated(metric)]
    for row in dropped.itertuples():
        warnings.warn(
            f"{row.metric}: {row.value_count} scores of version {row.metric_version}, parameters "
            f"{row.parameters_hash} and seed {row.metric_seed} are left out: more were made "
            f"otherwise",
            stacklevel=3,
        )
        keys = [pc.field(name) == getattr(row, name) for name in (*metric, *version)]
        table = table.filter(~functools.reduce(operator.and_, keys))
    return pa.concat_tables([table, compared])


def _split_comparisons(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows that are no comparison, and those of each model with the most partners."""
    of_comparison = pc.field("metric").isin(COMPARISONS)
    compared = table.filter(of_comparison)
    partners = [json.loads(given)["partners"] for given in compared["parameters"].to_pylist()]
    order = sorted(range(len(partners)), key=lambda row: (len(partners[row]), partners[row]))
    names = [compared[name].to_pylist() for name in ("trial_id", "representation", "metric")]
    last = {tuple(name[row] for name in names): row for row in order}
    kept = pa.array(list(last.values()), pa.int64())
    return table.filter(~of_comparison), compared.take(kept)


def _name_other_parameters(table: pa.Table, names: Names) -> str:
    """The metrics whose parameters are not the paper's."""
    others = set()
    for row in table.group_by(["metric", "parameters"]).aggregate([]).to_pylist():
        if row["metric"] in names.defaults and row["metric"] not in COMPARISONS:
            defaults = dict(names.defaults[row["metric"]])
            stated = defaults | json.loads(row["parameters"] or "{}")
            if stated != defaults | paper_grid()["metrics"].get(row["metric"], {}):
                others.add(row["metric"])
    return ", ".join(sorted(others))


def _make_tidy(models: DataFrame, table: pa.Table) -> DataFrame:
    cell = ["trial_id", "dataset", "method", "hyperparameter", "hyperparameter_value", "seed"]
    rows = table.select(["trial_id", *SCORE_COLUMNS]).to_pandas()
    return models[cell].merge(rows, on="trial_id").reset_index(drop=True)


def _make_wide(models: DataFrame, table: pa.Table, kind: str | None) -> DataFrame:
    rows = table.select(["trial_id", "representation", "metric", "score", "value"]).to_pandas()
    names = rows[["metric", "score"]].drop_duplicates()
    names["column"] = [score_column(*name) for name in names.itertuples(index=False)]
    rows = rows.merge(names, on=["metric", "score"])
    pivot = rows.pivot_table(
        index=["trial_id", "representation"], columns="column", values="value", observed=True
    )[names["column"].unique()]
    for classifier in ("lr", "gbt"):
        few, many = (f"downstream_{classifier}_{size}" for size in (100, 10000))
        if few in pivot and many in pivot:
            pivot[f"efficiency_{classifier}"] = pivot[few] / pivot[many]
    done = models[models["status"] == "done"]
    cell = ["trial_id", "dataset", "method", "hyperparameter", "hyperparameter_value", "setting"]
    keep = [name for name in done.columns if name not in {*cell, "seed", "status", "error"}]
    kinds = DataFrame({"representation": [kind] if kind else ["mean", "sampled"]})
    models = done[[*cell, "seed"]].merge(kinds, how="cross")
    wide = models.merge(pivot.reset_index(), how="left", on=["trial_id", "representation"])
    return wide.merge(done[["trial_id", *keep]], on="trial_id")
