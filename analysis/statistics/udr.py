"""Unsupervised Disentanglement Ranking of a results folder's models: later work than the paper."""

import itertools
from pathlib import Path

import numpy as np
from pandas import DataFrame

from ...metrics import udr
from ...sweep.store.results import ResultsError
from ...sweep.store.store import StoreError
from ..names import Names
from ..tables import ResultsReader, drop_references, open_results, trials

FEWEST_SEEDS = 5
"""Models that share data set, method and setting, for a ranking to mean anything (Duan 2020)."""

NUM_POINTS = 1000

MOST_PAIRS = 5000
"""Of models that a report compares, in about ten seconds; more take `udr_scores`."""


def udr_scores(results: ResultsReader | str | Path) -> DataFrame:
    """The UDR in [0, 1] of each trained model (Duan et al. 2020, arXiv:1905.12614).

    A model is compared with those that differ from it in nothing but the seed, on the mean codes
    of the first 1,000 stored points; that takes a lasso for each pair of models and each latent.
    Models whose codes are not finite are left out.

    Args:
        results: a path, a URI or an open results folder.

    Returns:
        A row per model: trial_id, dataset, method, setting, seed, num_seeds, udr; NaN where its
        codes are not finite, or fewer than five models of a setting have finite ones.

    Raises:
        ResultsError: if there is no study, or the codes of a model are not stored.
    """
    folder = open_results(results)
    models = drop_references(trials(folder), Names.of_study(folder.study))
    models = models[models["status"] == "done"]
    cell = ["dataset", "method", "setting"]
    rows = models[["trial_id", *cell, "seed"]].assign(udr=np.nan)
    rows["num_seeds"] = models.groupby(cell)["seed"].transform("nunique")
    for _, group in models.groupby(cell, sort=False):
        if len(group) < FEWEST_SEEDS:
            continue
        codes = [folder.representation(trial)[0][:NUM_POINTS] for trial in group["trial_id"]]
        finite = [bool(np.isfinite(means).all()) for means in codes]
        if sum(finite) >= FEWEST_SEEDS:
            kl = [np.asarray(per_latent) for per_latent in group["kl_per_latent"][finite]]
            ranked = udr(list(itertools.compress(codes, finite)), kl)
            rows.loc[group.index[finite], "udr"] = ranked
    return rows.reset_index(drop=True)


def add_udr(results: ResultsReader, table: DataFrame) -> tuple[DataFrame, str]:
    """Wide scores with a column udr, and an empty string; or as they are, and why.

    Args:
        results: an open results folder.
        table: wide scores of its models.
    """
    trained = drop_references(table, Names.of_study(results.study))
    seeds = trained.groupby(["dataset", "method", "setting"]).size().to_numpy()
    pairs = (seeds * (seeds - 1))[seeds >= FEWEST_SEEDS].sum()
    if not pairs:
        return table, f"no setting has {FEWEST_SEEDS} seeds"
    if pairs > MOST_PAIRS:
        return table, f"{pairs:,} pairs of models, too many for a report; see udr_scores"
    try:
        ranked = udr_scores(results)
    except (ResultsError, StoreError):
        return table, "the models' codes are not stored"
    if ranked["udr"].isna().all():
        return table, f"no setting has {FEWEST_SEEDS} models with finite codes"
    return table.merge(ranked[["trial_id", "udr"]], how="left", on="trial_id"), ""
