"""The factorial decomposition, by hand and against least squares, and the means of values."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from pandas import DataFrame

from teasel.analysis import hyperparameter_importance, hyperparameter_means
from teasel.analysis.plots.plots import plot_hyperparameters, plot_means
from teasel.tests.support.synthetic import synthetic_scores


def study(values: np.ndarray, datasets: int = 1) -> DataFrame:
    """A wide table of one method: values by (data set, alpha, width, seed), NaN for no model."""
    rows = []
    for (dataset, alpha, width, seed), value in np.ndenumerate(values):
        if np.isfinite(value):
            setting = f"alpha={alpha + 1}, width={16 * (width + 1)}"
            rows.append((f"set{dataset}", "own", setting, "alpha", alpha + 1.0, seed, value))
    columns = ["dataset", "method", "setting", "hyperparameter", "hyperparameter_value", "seed"]
    return DataFrame(rows, columns=[*columns, "mig"])


def shares(table: DataFrame) -> DataFrame:
    return hyperparameter_importance(table, "mig").set_index("part")


def test_two_hyperparameters_by_hand() -> None:
    # alpha adds 4, width adds 2, both together 2 more; a seed moves everything by 1, and one cell
    # by another 4: [[0, 2], [4, 8]] and [[1, 3], [5, 13]].
    values = np.array([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [8.0, 13.0]]])[None]
    found = shares(study(values))
    assert list(found.index) == ["alpha", "width", "alpha x width", "seed", "rest"]
    # Means of alpha 1.5 and 7.5, of width 2.5 and 6.5, of the cells .5, 2.5, 4.5, 10.5, of seeds
    # 3.5 and 5.5, of all 4.5.
    squares = np.array([8 * 9, 8 * 4, 8 * 1, 8 * 1])
    total = ((values - 4.5) ** 2).sum()
    rest = total - squares.sum()
    np.testing.assert_allclose(found["share"], np.append(squares, rest) / total)
    corrected = (squares - rest / 3) / (total + rest / 3)
    np.testing.assert_allclose(found["corrected"], [*corrected, 1 - corrected.sum()])
    assert (found["num_models"] == 8).all()


def test_shares_are_those_of_nested_least_squares() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 3, 4, 5)) + 2 * rng.normal(size=(1, 3, 1, 1))
    values += rng.normal(size=(2, 1, 4, 1))
    table = study(values)
    found = shares(table)["share"]
    assert found.sum() == pytest.approx(1)
    frame = table.assign(width=table["setting"].str.split("=").str[-1])
    columns = {"dataset": frame["dataset"], "alpha": frame["hyperparameter_value"].astype(str)}
    columns["width"] = frame["width"]
    columns["seed"] = frame["seed"].astype(str)

    def explained(*parts: str) -> float:
        names = frame["dataset"].str.slice(0, 0)
        for part in parts:
            names = names + "|" + columns[part]
        coded = (names.to_numpy()[:, None] == np.unique(names)).astype(float)
        values = frame["mig"].to_numpy()
        fitted = coded @ np.linalg.lstsq(coded, values)[0]
        return ((fitted - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()

    assert found["alpha"] == pytest.approx(explained("alpha"))
    assert found["seed"] == pytest.approx(explained("seed"))
    pair = explained("dataset", "width") - explained("dataset") - explained("width")
    assert found["dataset x width"] == pytest.approx(pair)
    cells = explained("dataset", "alpha", "width")
    assert found.drop(["seed", "rest"]).sum() == pytest.approx(cells)


def test_noise_alone_has_no_corrected_share() -> None:
    values = np.random.default_rng(1).normal(size=(2, 4, 3, 40))
    found = shares(study(values))
    assert found["corrected"].drop("rest").abs().max() < 0.03
    assert found.loc["rest", "corrected"] == pytest.approx(1, abs=0.05)
    assert (found["low"] <= found["corrected"]).all()


def test_levels_with_gaps_are_left_out_and_said() -> None:
    values = np.random.default_rng(2).normal(size=(1, 3, 2, 4))
    whole = shares(study(values[..., :3]))
    values[0, 1, 1, 3] = np.nan  # one model is missing
    found = shares(study(values))
    np.testing.assert_allclose(found["share"], whole["share"])
    assert set(found["left_out"]) == {"seed=3"}
    values[0, 2, :, :] = np.nan  # a value that nothing has
    assert "alpha" in shares(study(values)).index


def test_what_cannot_be_decomposed_says_why() -> None:
    values = np.arange(4.0).reshape(1, 2, 2, 1)
    found = shares(study(values))
    assert found["corrected"].isna().all()
    assert set(found["note"]) == {
        "one seed per setting: seeds cannot be distinguished from settings"
    }
    assert set(shares(study(np.ones((1, 2, 2, 3))))["note"]) == {"one value for all models"}
    diagonal = np.full((1, 2, 2, 2), np.nan)
    diagonal[0, 0, 0], diagonal[0, 1, 1] = 1, 2
    (row,) = hyperparameter_importance(study(diagonal), "mig").to_dict("records")
    assert row["note"] == "no value of a hyper-parameter has all its models"
    assert hyperparameter_importance(study(values[:, :1, :1]), "mig").empty


def test_means_of_each_value_and_seed() -> None:
    values = np.array([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [8.0, 13.0]]])[None]
    found = hyperparameter_means(study(values), "mig").set_index(["hyperparameter", "value"])
    assert found["mean"].to_dict() == {
        ("alpha", "1"): 1.5,
        ("alpha", "2"): 7.5,
        ("width", "16"): 2.5,
        ("width", "32"): 6.5,
    }
    assert found.loc[("width", "32"), "by_seed"].tolist() == [5, 8]
    assert set(found["note"]) == {"no interval with fewer than 10 seeds (here 2)"}


def test_figures_of_every_method_and_of_one_with_two_hyperparameters() -> None:
    table = synthetic_scores(np.random.default_rng(0), num_seeds=3, columns=["mig", "sap"])
    table = table[table["dataset"].isin(["dsprites", "cars3d"])]
    found = hyperparameter_importance(table, ["mig", "sap"])
    assert set(found["part"]) >= {"dataset", "beta", "dataset x beta", "seed", "rest"}
    axes = Figure().subplots(2, 3)
    plot_hyperparameters(found, axes)
    assert next(text.get_text() for text in axes[0, 0].get_yticklabels()) == "dataset"
    axes = Figure().subplots(2, 2)
    plot_means(hyperparameter_means(table, ["mig", "sap"]), axes)
    assert axes[0, 0].get_ylabel() == "MIG"
    own = hyperparameter_means(study(np.random.default_rng(0).normal(size=(1, 2, 3, 2))), "mig")
    panel = Figure().subplots()
    plot_means(own[own["hyperparameter"] == "width"], panel)
    assert [text.get_text() for text in panel.get_xticklabels()] == ["16", "32", "48"]
