"""A results folder as pandas tables, the input of all other functions of this room."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas import DataFrame
from pandas.api.types import is_numeric_dtype

from ..errors import UnknownNameError
from ..metrics import PAPER_PARAMETERS
from ..settings import Settings
from ..sweep.store.files import group_rows
from ..sweep.store.results import Results, ResultsError
from ..sweep.store.tables import TRIALS, score_column
from ..sweep.study.asked import study_order
from .choice import (
    WAY,
    Parameters,
    Seed,
    Way,
    choose_scores,
    name_difference,
    uses_papers_parameters,
)
from .factors import factors_of, name_factor, name_factors
from .formats import format_strength
from .names import LOSSES, PAPER_NAMES, Names
from .paper_grid import PAPER_SCORES

MODEL = ("dataset", "method", "setting", "seed")
"""The columns that identify a model."""

SETTING = ("dataset", "method", "hyperparameter", "hyperparameter_value", "setting")
"""The columns that identify a cell, whose models differ in seed. Within a method `setting` is
sufficient; the two columns before it are its swept value."""

TRAINING = (*Settings._fields, "method_version")
"""Columns of `trials` that distinguish settings and are not hyper-parameters of the method."""

_MEASURED = {*TRIALS} - {"trial_id", *MODEL, *TRAINING}
"""Columns of `trials` that do not distinguish models."""

SCORE_COLUMNS = ("representation", "metric", "score", "value", "metric_seed", "num_points")
"""Columns of the tidy `scores`, after those that identify the model."""


DERIVED = {
    "hyperparameter": "The method's swept hyper-parameter: the first that varies.",
    "hyperparameter_value": "The value of `hyperparameter`.",
    "setting": "Everything that varies within the method except the seed, such as `beta=4`.",
    "representation": '"mean" or "sampled": the codes that were scored.',
    "efficiency_lr": "`downstream_lr_100` / `downstream_lr_10000`. [more is better]",
    "efficiency_gbt": "`downstream_gbt_100` / `downstream_gbt_10000`. [more is better]",
    "other_parameters": "Metrics that were not computed with the paper's parameters.",
}
"""Columns of wide scores that are in no stored table, besides the scores themselves."""


class ResultsReader(Protocol):
    """The interface of a results folder, that of `teasel.sweep.store.results.Results`."""

    @property
    def study(self) -> dict:
        """The frozen study."""
        ...

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """All rows of one table; if some `columns` are requested, others may be missing."""
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
    """The results folder at a path or URI; an open folder is returned unchanged.

    Raises:
        ResultsError: if no study has been started there.
    """
    folder = Results(results) if isinstance(results, str | Path) else results
    _ = folder.study  # raises
    return folder


def study_names(results: ResultsReader | str | Path) -> Names:
    """Labels, colours and directions for the content of a results folder, as stored in it.

    Raises:
        ResultsError: if there is no study.
    """
    return Names.of_study(open_results(results).study)


Given = ResultsReader | str | Path
"""A results folder: a path, a URI or an open folder."""


def trials(results: Given | Sequence[Given]) -> DataFrame:
    """One row per model: identity, one column per hyper-parameter, losses, provenance.

    The rows are in the order in which the study lists data sets, methods, settings and seeds. Three
    columns are derived. `hyperparameter` names the method's swept hyper-parameter: the first that
    varies in these results, or the first numeric training setting that varies, or else its first
    one; it is missing if there is none. `hyperparameter_value` is its value. `setting` identifies
    the cells of one method: all hyper-parameters and training settings that vary, such as
    ``"beta=4"``.

    Args:
        results: a results folder; or several, which the column `study` distinguishes.

    Raises:
        ResultsError: if there is no study, or several cannot be read as one.
    """
    return _read_models(_open_all(results))


def scores(
    results: Given | Sequence[Given],
    representation: str | None = "mean",
    wide: bool = False,
    parameters: Parameters = None,
    metric_seed: Seed = None,
) -> DataFrame:
    """The scores of a results folder, tidy (a row per score) or wide (a row per model).

    The rows are in the order of `trials`. If a metric was computed in several ways, with different
    parameters, seeds or versions, the scores requested by the latest grid are returned. A score of
    one factor has the factor's name, such as ``100_test_shape``. An infinite score or loss is
    missing from a wide table, because means, ranks and plots cannot use it.

    Args:
        results: a path, a URI or an open results folder; or several, which get a column `study`.
        representation: "mean", "sampled", or None for both.
        wide: one column per score, named as in the paper (``mig``, ``dci_disentanglement``,
            ``downstream_lr_100``, ...), beside losses, the derived ``efficiency_lr`` and
            ``efficiency_gbt`` (accuracy at 100 / accuracy at 10,000), the columns of `trials`, and
            ``other_parameters``, which lists the metrics that were not computed with the paper's
            parameters, or with the defaults if the metric is not in the paper. For a metric with
            several seeds the column is the mean over them, and a column such as ``mig_sd`` has
            their standard deviation.
        parameters: metric parameters to choose by, such as ``{"mig": {"num_bins": 4}}``, or
            ``{"num_bins": 4}`` for all metrics that have them; "paper" for the paper's, where such
            scores exist.
        metric_seed: a seed to choose by, for all metrics, or by metric as in ``{"mig": 7}``.

    Raises:
        ValueError: if `representation` is none of the three.
        ResultsError: if there is no study or no score with these parameters or this seed, or if
            several folders cannot be read as one; the message names the column that differs.
    """
    if representation not in ("mean", "sampled", None):
        raise ValueError(
            f'representation is {representation!r}: expected "mean", "sampled" or None'
        )
    folders = _open_all(results)
    several = len(folders) > 1
    models = _read_models(folders)
    found, chosen = [], {}
    for name, folder in folders.items():
        choice = (representation, parameters, metric_seed)
        table, ways = choose_scores(_read_scores(folder), folder.study, *choice)
        for key, way in ways.items():
            _check_same_way(chosen.setdefault(key, (name, way)), (name, way))
        own = models[models["study"] == name] if several else models
        rows = name_factors(_sort_scores(table, own, folder.study), own, folder.study)
        if wide:
            names = Names.of_study(folder.study)
            others = [way["metric"] for way in ways.values() if _is_other(way, names)]
            rows = _make_wide(own, rows, representation)
            found.append(rows.assign(other_parameters=", ".join(sorted(set(others)))))
        else:
            found.append(_make_tidy(own, rows, several))
    return found[0] if len(found) == 1 else pd.concat(found, ignore_index=True)


def representation(results: ResultsReader | str | Path, trial_id: str) -> Codes:
    """The stored codes of one model: means and log variances (N, D), factors (N, K)."""
    return Codes(*open_results(results).representation(trial_id))


def as_list(given: str | Iterable[str]) -> list[str]:
    """Names as a list; a single name becomes a list of one."""
    return [given] if isinstance(given, str) else list(given)


def split_by(table: DataFrame, column: str) -> dict[str, DataFrame]:
    """The rows of each name in a column, in order of appearance."""
    return {str(name): rows for name, rows in table.groupby(column, sort=False)}


def check_scores(given: str | Iterable[str], *tables: DataFrame) -> list[str]:
    """Score columns as a list; a single name becomes a list of one.

    Args:
        given: names of wide columns.
        tables: tables with these columns; a score of the paper may be missing from them.

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
    """The table unchanged, after a check that it has one row per model.

    Args:
        table: wide scores.
        identity: the columns that identify a row.

    Raises:
        ValueError: if two rows are equal in these columns.
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


def list_other_scores(results: ResultsReader, per_factor: bool = True) -> list[str]:
    """The wide columns of metrics outside the paper: IRS, and those of other packages.

    Args:
        results: an open results folder.
        per_factor: whether to include scores of a single factor.
    """
    rows = results.table("scores", ["metric", "score"])
    names = rows.group_by(["metric", "score"]).aggregate([]).to_pylist()
    factors = factors_of(results.study)
    return sorted(
        {
            score_column(name["metric"], name_factor(name["score"], known)[0])
            for name in names
            if name["metric"] not in PAPER_PARAMETERS
            for known in ([], *factors.values())
            if per_factor or name_factor(name["score"], known)[1] is None
        }
    )


def _add_settings(table: DataFrame) -> DataFrame:
    hyperparameters = [name for name in table.columns if name not in TRIALS]
    swept = pd.Series(None, index=table.index, dtype=object)
    value = pd.Series(np.nan, index=table.index, dtype=float)
    setting = pd.Series("", index=table.index, dtype=object)
    for rows in split_by(table, "method").values():
        owned = [name for name in hyperparameters if rows[name].notna().any()]
        given = [name for name in (*owned, *TRAINING) if name in rows]
        varying = [name for name in given if rows[name].nunique() > 1]
        numbers = [name for name in varying if is_numeric_dtype(rows[name])]
        name = next(iter((*numbers, *owned)), None)
        if name is not None:
            swept[rows.index] = name
            value[rows.index] = rows[name].astype(float)
        if shown := varying or ([name] if name else []):
            parts = [f"{part}=" + rows[part].map(format_strength) for part in shown]
            words = [", ".join(pairs) for pairs in zip(*parts, strict=True)]
            setting[rows.index] = pd.Series(words, index=rows.index, dtype=object)
    return table.assign(hyperparameter=swept, hyperparameter_value=value, setting=setting)


def _open_all(results: Given | Sequence[Given]) -> dict[str, ResultsReader]:
    """Results folders by the names of their studies, or by their addresses if names are equal.

    Raises:
        ResultsError: if there is no study, or if two studies have different protocols.
    """
    given: Sequence[Given] = results if isinstance(results, list | tuple) else [results]  # type: ignore[list-item]
    if not given:
        raise ResultsError("no results folder was given")
    opened = [open_results(folder) for folder in given]
    names = [str(folder.study["study"]) for folder in opened]
    if len(set(names)) < len(names):
        names = [
            each if isinstance(each, str) else str(getattr(each, "uri", each)) for each in given
        ]
    if len(set(names)) < len(names):
        raise ResultsError(f"{', '.join(names)}: a results folder was given twice")
    protocols = [
        (name, each.study.get("protocol")) for name, each in zip(names, opened, strict=True)
    ]
    for other in protocols[1:]:
        _check_same("protocol", protocols[0], other)
    return dict(zip(names, opened, strict=True))


def _read_models(folders: Mapping[str, ResultsReader]) -> DataFrame:
    """The models of results folders, in the order of each study."""
    tables = []
    data: dict[str, tuple[str, str]] = {}
    made_in: dict[str, str] = {}
    for name, folder in folders.items():
        table = folder.table("trials")
        needed = [column for column in table.column_names if column not in _MEASURED]
        order = study_order(folder.study, table.select(needed).to_pylist())
        table = table.take(pa.array(order, pa.int64()))
        if len(folders) > 1:
            place = table.column_names.index("study")
            table = table.set_column(place, "study", pa.array([name] * len(table), pa.string()))
            attempts = table["attempt_id"] if "attempt_id" in table.column_names else pa.array([])
            for attempt_id in attempts.unique().drop_null().to_pylist():
                first = made_in.setdefault(attempt_id, name)
                if first != name:
                    raise ResultsError(
                        f"{first} and {name} hold the same models: they are one folder, or one "
                        "began as a copy of the other (`teasel merge` unites such folders)"
                    )
            if "data_fingerprint" in table.column_names:
                for row in table.select(["dataset", "data_fingerprint"]).to_pylist():
                    mark = (name, row["data_fingerprint"])
                    first = data.setdefault(row["dataset"], mark)
                    if first[0] != name:
                        _check_same("data_fingerprint", first, mark, f" of {row['dataset']}")
        tables.append(table)
    return _add_settings(pa.concat_tables(tables, promote_options="permissive").to_pandas())


def _check_same(column: str, one: tuple[str, Any], other: tuple[str, Any], of: str = "") -> None:
    """Checks that two studies do not differ in a column.

    Raises:
        ResultsError: if they differ.
    """
    if one[1] != other[1]:
        raise ResultsError(
            f"{one[0]} and {other[0]} cannot be read as one: `{column}`{of} is {one[1]} and "
            f"{other[1]}"
        )


def _check_same_way(one: tuple[str, Way], other: tuple[str, Way]) -> None:
    """Checks that two studies made a metric's scores in the same way.

    Raises:
        ResultsError: if they did not.
    """
    difference = name_difference(one[1], other[1])
    if difference:
        raise ResultsError(
            f"{one[0]} and {other[0]} cannot be read as one: {one[1]['metric']}, {difference}; "
            "`parameters` and `metric_seed` choose others, if both have them"
        )


def _read_scores(folder: ResultsReader) -> pa.Table:
    """The rows of scores that have a value."""
    columns = dict.fromkeys(["trial_id", *SCORE_COLUMNS, *WAY, "parameters", "points"])
    coded = {"coded": True} if isinstance(folder, Results) else {}  # others give plain texts
    rows = folder.table("scores", list(columns), **coded).select(list(columns))
    return rows.filter(pc.field("value").is_valid()) if rows["value"].null_count else rows


def _sort_scores(table: pa.Table, models: DataFrame, study: Mapping[str, Any]) -> pa.Table:
    """The scores sorted by representation, metric and model, whatever the order of attempts."""
    metrics = list(study.get("catalogue", {}).get("metrics", {}))
    lists = {
        "trial_id": models["trial_id"].to_list(),
        "metric": list(dict.fromkeys([*metrics, *sorted(table["metric"].unique().to_pylist())])),
        "representation": ["mean", "sampled"],
    }
    places = [
        pc.call_function(
            "index_in", [table[name]], pc.SetLookupOptions(pa.array(known, pa.string()))
        )
        .fill_null(len(known))
        .to_numpy()
        for name, known in lists.items()
    ]
    return table.select(["trial_id", *SCORE_COLUMNS]).take(np.lexsort(places))


def _is_other(way: Way, names: Names) -> bool:
    return way["metric"] in names.defaults and not uses_papers_parameters(way, names)


def _make_tidy(models: DataFrame, scores: pa.Table, several: bool) -> DataFrame:
    rows = scores.to_pandas()
    rows = rows.astype(dict.fromkeys(rows.select_dtypes("category"), "str"))
    rows["factor"] = rows["factor"].astype(object).where(rows["factor"].notna(), None)
    own = [name for name in models.columns if name not in {*TRIALS, *SETTING}]
    cell = ["trial_id", *(["study"] if several else []), *SETTING, "seed"]
    columns = [*cell, *SCORE_COLUMNS, "factor", *own]
    return models[[*cell, *own]].merge(rows, on="trial_id")[columns].reset_index(drop=True)


def _make_wide(models: DataFrame, scores: pa.Table, kind: str | None) -> DataFrame:
    pivot, spread = _pivot(scores)
    for classifier in ("lr", "gbt"):
        few, many = (f"downstream_{classifier}_{size}" for size in (100, 10000))
        if few in pivot and many in pivot:
            share = pivot[few] / pivot[many]
            pivot[f"efficiency_{classifier}"] = share.where(np.isfinite(share))
    pivot = pivot.join(spread.add_suffix("_sd"))
    done = models[models["status"] == "done"]
    cell = ["trial_id", *SETTING]
    keep = [name for name in done.columns if name not in {*cell, "seed", "status", "error"}]
    kept = done[["trial_id", *keep]]
    losses = [name for name in (*LOSSES, "elbo") if name in kept]
    kept = kept.assign(**{name: kept[name].where(np.isfinite(kept[name])) for name in losses})
    kinds = DataFrame({"representation": [kind] if kind else ["mean", "sampled"]})
    models = done[[*cell, "seed"]].merge(kinds, how="cross")
    wide = models.merge(pivot.reset_index(), how="left", on=["trial_id", "representation"])
    return wide.merge(kept, on="trial_id")


def _pivot(scores: pa.Table) -> tuple[DataFrame, DataFrame]:
    """The scores with a row per model and representation, and a column per score.

    Returns:
        The scores, as means over several metric seeds; and the standard deviation over these, with
        only the columns that have one.
    """
    pair_of, first = group_rows(scores, ["metric", "score"])
    pairs = scores.select(["metric", "score"]).take(first).to_pylist()
    names = [score_column(pair["metric"], pair["score"]) for pair in pairs]
    columns = list(dict.fromkeys(names))
    column_of = np.array([columns.index(name) for name in names], int)[pair_of]
    key = ["trial_id", "representation"]
    row_of, first = group_rows(scores, key)
    index = pd.MultiIndex.from_frame(scores.select(key).take(first).to_pandas().astype("str"))
    value = scores["value"].to_numpy()
    value = np.where(np.isfinite(value), value, np.nan)
    table = np.full((len(index), len(columns)), np.nan)
    table[row_of, column_of] = value
    cell = row_of * len(columns) + column_of
    several = np.bincount(cell)[cell] > 1
    groups = pd.Series(value[several]).groupby(cell[several])
    means, spreads = groups.mean(), groups.std()
    spread = np.full_like(table, np.nan)
    table.flat[means.index], spread.flat[spreads.index] = means, spreads
    with_spread = np.unique(column_of[several])
    return (
        DataFrame(table, index, columns),
        DataFrame(spread, index, columns).iloc[:, with_spread],
    )
