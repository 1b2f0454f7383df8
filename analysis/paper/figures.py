"""The tables behind the paper's figures, by number (Locatello et al. 2019).

Figure 3's shares are `importance.variance_explained`, and table 1 is `transfer.table_1`.
`plots.plots` draws them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import stats

from ..names import LOSSES
from ..paper_grid import DISENTANGLEMENT, DOWNSTREAM, UNSUPERVISED, paper_grid
from ..statistics.correlation import dataset_correlation, rank_correlations
from ..statistics.resampling import (
    MIN_SEEDS,
    explain_no_interval,
    jackknife_error,
    student_interval,
)
from ..summary import other_settings, sort_as_paper
from ..tables import SETTING, check_models, check_scores, drop_references, split_by

LATENT_SCORES = ("gaussian_total_correlation", "mutual_info_score")


def figure_1(mean: DataFrame, sampled: DataFrame) -> DataFrame:
    """Dependence between latents by regularisation strength, for mean and sampled codes.

    Args:
        mean: wide scores of the mean representation.
        sampled: wide scores of the sampled representation.

    Returns:
        A row per data set, setting, representation and score: dataset, method, hyperparameter,
        hyperparameter_value, setting, representation, score (Gaussian total correlation in nats,
        mean mutual information between latents in nats), value (mean over seeds), spread
        (standard deviation over seeds), low, high (of the mean), num_models, note.
    """
    tables = [check_models(table) for table in (mean, sampled)]
    both = drop_references(pd.concat(tables, ignore_index=True))
    return _means(both, [*SETTING, "representation"], LATENT_SCORES)


def figure_1_changes(mean: DataFrame, sampled: DataFrame) -> DataFrame:
    """The change of total correlation from the weakest to the strongest setting of each method.

    Equal seeds are compared. The intervals hold for all changes of one kind together, so that if
    nothing changes, a change is claimed in one study of twenty. Methods outside the paper are left
    out, because their stronger setting is unknown.

    Args:
        mean: wide scores of the mean representation.
        sampled: wide scores of the sampled representation.

    Returns:
        A row per kind ("samples", "means"), data set and method, and setting of its other
        hyper-parameters: kind, dataset, method, rest, change, low, high, num_seeds.
    """
    score, swept, found = LATENT_SCORES[0], paper_grid()["methods"], []
    for kind, table in (("samples", sampled), ("means", mean)):
        given = drop_references(check_models(table)).reindex(columns=[*SETTING, "seed", score])
        given = given.assign(rest=other_settings(given)).dropna(subset=[score])
        known = [
            name in swept.get(method, ())
            for method, name in zip(given["method"], given["hyperparameter"], strict=True)
        ]
        given = given[np.array(known, bool)]  # an empty list would choose columns
        for (dataset, method, rest), rows in sort_as_paper(given).groupby(
            ["dataset", "method", "rest"], sort=False
        ):
            lines = rows.pivot_table(score, "seed", "hyperparameter_value")
            if lines.shape[1] > 1:
                change = (lines.iloc[:, -1] - lines.iloc[:, 0]).dropna().to_numpy()
                change = -change if method == "annealed_vae" else change
                size = len(change)
                error = change.std(ddof=1) / np.sqrt(size) if size >= MIN_SEEDS else np.nan
                middle = change.mean() if size else np.nan
                found.append((kind, dataset, method, rest, middle, error, size))
    names = ["kind", "dataset", "method", "rest", "change", "error", "num_seeds"]
    table = DataFrame(found, columns=names)
    level = 0.05 / table.groupby("kind")["kind"].transform("size")
    half = stats.t.isf(level / 2, (table["num_seeds"] - 1).clip(lower=1)) * table.pop("error")
    return table.assign(low=table["change"] - half, high=table["change"] + half)


def figure_2(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """Rank correlation between scores, per data set and averaged over them.

    Returns:
        `rank_correlations` of all data sets.
    """
    return rank_correlations(_by_dataset(table), scores)


def figure_3(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT, by: str = "method"
) -> DataFrame:
    """The mean of every score by method or by setting, with the statistics shown by the violins.

    Args:
        table: wide scores. References form their own groups.
        scores: columns.
        by: "method" or "setting".

    Returns:
        A row per data set, score and group: dataset, method (and hyperparameter,
        hyperparameter_value, setting), score, value (mean), spread (standard deviation over
        models), low, high (of the mean, seeds drawn jointly), num_models, note.

    Raises:
        ValueError: if `by` is neither, two rows are of one model, or a score is unknown.
    """
    if by not in ("method", "setting"):
        raise ValueError(f'by is {by!r}: expected "method" or "setting"')
    return _means(table, SETTING[:2] if by == "method" else SETTING, scores)


def figure_4(
    table: DataFrame,
    unsupervised: str | Sequence[str] = UNSUPERVISED,
    scores: str | Sequence[str] = DISENTANGLEMENT,
) -> DataFrame:
    """Rank correlation of unsupervised with disentanglement scores, like `figure_2`.

    Args:
        table: wide scores whose unsupervised columns are of the sampled representation, see
            `with_unsupervised_of_samples`.
        unsupervised: rows.
        scores: columns.
    """
    return rank_correlations(_by_dataset(table), unsupervised, scores)


def figure_4_datasets(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """Rank correlation of each score between data sets, over settings; see `dataset_correlation`.

    Returns:
        The rows of `dataset_correlation` for every score, with the column score.
    """
    found = [
        dataset_correlation(table, score).assign(score=score)
        for score in check_scores(scores, table)
    ]
    return pd.concat(found, ignore_index=True)


def figure_5(
    table: DataFrame,
    scores: str | Sequence[str] = DISENTANGLEMENT,
    downstream: str | Sequence[str] = DOWNSTREAM,
) -> DataFrame:
    """Rank correlation of scores with downstream accuracy and efficiency, like `figure_2`."""
    return rank_correlations(_by_dataset(table), scores, downstream)


def figure_6(table: DataFrame) -> DataFrame:
    """Every model's sample efficiency (boosted trees) and FactorVAE score.

    Returns:
        A row per model with both: trial_id, dataset, method, hyperparameter,
        hyperparameter_value, setting, seed, factor_vae_score, efficiency_gbt.
    """
    names = ["trial_id", *SETTING, "seed"]
    scores = ["factor_vae_score", "efficiency_gbt"]
    trained = drop_references(check_models(table))
    found = sort_as_paper(trained).reindex(columns=[*names, *scores])
    return found.dropna(subset=scores).reset_index(drop=True)


def with_unsupervised_of_samples(mean: DataFrame, sampled: DataFrame) -> DataFrame:
    """Wide scores of the mean representation, with unsupervised columns of the sampled one.

    The paper does not state which representation's total correlation figure 4 uses. The sampled
    one's is what a user without labels would use.
    """
    given = [name for name in UNSUPERVISED if name in sampled and name not in (*LOSSES, "elbo")]
    rest = check_models(mean).drop(columns=given, errors="ignore")
    of_samples = check_models(sampled)[["trial_id", *given]]
    return rest.merge(of_samples, how="left", on="trial_id")


def _by_dataset(table: DataFrame) -> dict[str, DataFrame]:
    table = sort_as_paper(drop_references(table))
    return split_by(table, "dataset") or {"": table}


def _means(table: DataFrame, by: Sequence[str], scores: str | Sequence[str]) -> DataFrame:
    """Means over models by group and score, with intervals for other seeds."""
    cell = list(dict.fromkeys([*by, "setting", "seed"]))
    rows = sort_as_paper(check_models(table, cell))
    given = [name for name in check_scores(scores, rows) if name in rows]
    long = rows.melt(cell, given, var_name="score").dropna(subset="value")
    settings = long.groupby([*cell[:-1], "score"], sort=False, dropna=False)
    long["num_seeds"] = settings["seed"].transform("nunique")
    groups = long.groupby([*by, "score"], sort=False, dropna=False)
    summary = groups.agg(
        value=("value", "mean"),
        spread=("value", "std"),
        num_models=("value", "size"),
        num_seeds=("num_seeds", "min"),
    ).reset_index()
    num_seeds = summary.pop("num_seeds").to_numpy()
    seeds, seed = np.unique(long["seed"].to_numpy(int), return_inverse=True)
    place = (groups.ngroup().to_numpy(), seed)
    total, size = np.zeros((2, len(summary), len(seeds)))
    np.add.at(total, place, long["value"])
    np.add.at(size, place, 1)
    summary["note"] = [explain_no_interval(count) for count in num_seeds]
    error = jackknife_error(
        lambda counts: total @ counts / np.where(size @ counts, size @ counts, np.nan), len(seeds)
    )
    summary["low"], summary["high"] = student_interval(
        summary["value"].to_numpy(), error, num_seeds
    )
    place = {name: number for number, name in enumerate(summary["dataset"].unique())}
    return summary.sort_values("dataset", key=lambda names: names.map(place), kind="stable")
