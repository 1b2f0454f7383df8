"""The best-scoring models of a results folder."""

from pathlib import Path

from pandas import DataFrame

from ..errors import UnknownNameError
from .choice import Parameters, Seed
from .names import LOSSES, Names
from .tables import ResultsReader, drop_references, open_results, scores, trials


def top(
    results: ResultsReader | str | Path,
    metric: str,
    dataset: str | None = None,
    representation: str = "mean",
    num_models: int = 10,
    parameters: Parameters = None,
    metric_seed: Seed = None,
) -> DataFrame:
    """The best-scoring trained models, the best first, without references.

    Args:
        results: a path, a URI or an open results folder.
        metric: a column of `scores(results, wide=True)`: a score by the paper's name, or a loss.
            Lower is better for losses, for unsupervised scores except the ELBO, and for scores that
            the results folder marks so.
        dataset: only models of this data set; None for all.
        representation: "mean" or "sampled".
        num_models: the most models to return.
        parameters: the metric parameters to choose, as in `scores`.
        metric_seed: the metric seed to choose.

    Returns:
        A row per model: trial_id, dataset, method, setting, seed and the score.

    Raises:
        ResultsError: if there is no study, or no such score.
        UnknownNameError: if the results have no such score or data set.
    """
    folder = open_results(results)
    names = Names.of_study(folder.study)
    wide = scores(folder, representation, True, parameters, metric_seed)
    others = {"representation", "other_parameters", *trials(folder).columns} - {*LOSSES, "elbo"}
    known = [name for name in wide.columns if name not in others]
    if metric not in known:
        raise UnknownNameError("score", metric, known, "in these results")
    datasets = list(wide["dataset"].unique())
    if dataset is not None and dataset not in datasets:
        raise UnknownNameError("data set", dataset, datasets, "in these results")
    models = drop_references(wide, names).dropna(subset=[metric])
    if dataset is not None:
        models = models[models["dataset"] == dataset]
    models = models.sort_values(metric, ascending=names.sign(metric) < 0, kind="stable")
    columns = ["trial_id", "dataset", "method", "setting", "seed", metric]
    return models[columns].head(num_models).reset_index(drop=True)
