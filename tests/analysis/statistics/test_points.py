import numpy as np
import pytest
from matplotlib.figure import Figure

from teasel.analysis import rank_stability
from teasel.analysis.plots.plots import plot_stability

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(5, size=(2_000, 2))
MODELS = [(FACTORS + 0.3 * n * RNG.normal(size=(2_000, 2)), FACTORS) for n in range(1, 21)]


def told(codes: np.ndarray, factors: np.ndarray) -> float:
    return float(np.corrcoef(codes[:, 0], factors[:, 0])[0, 1])


def test_a_score_of_more_points_ranks_models_more_like_that_of_all() -> None:
    found = rank_stability(MODELS, {"told": told}, sizes=[20, 200, 2_000])
    assert found["num_points"].tolist() == [20, 200, 2_000]
    assert found["correlation"].is_monotonic_increasing
    assert found["correlation"].iloc[0] < 0.95
    assert found[["correlation", "lowest"]].iloc[-1].tolist() == pytest.approx([1, 1])
    assert (found["lowest"] <= found["correlation"] + 1e-12).all()
    assert set(found["num_models"]) == {20}


def test_a_draw_takes_the_same_points_of_all_models() -> None:
    # Which points they are decides the score, and models differ by much less.
    models = [(FACTORS + 1e-6 * n, FACTORS) for n in range(5)]
    found = rank_stability(models, {"sum": lambda codes, factors: codes.sum()}, sizes=[10])
    assert found["lowest"].tolist() == pytest.approx([1])


def test_one_value_for_all_models_has_no_ranking() -> None:
    found = rank_stability(MODELS, {"same": lambda codes, factors: 1.0}, sizes=[10])
    assert found["correlation"].isna().all()
    assert found["note"].tolist() == ["one value for all models"]


def test_models_without_the_same_points_and_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="two models with the same points, got 1"):
        rank_stability(MODELS[:1], {"told": told})
    with pytest.raises(ValueError, match="got 2 with 9 or 2000 points"):
        rank_stability([MODELS[0], (FACTORS[:9], FACTORS[:9])], {"told": told})
    with pytest.raises(ValueError, match=r"from 1 to the 2000 points of a model, got \[3000\]"):
        rank_stability(MODELS, {"told": told}, sizes=[3_000])


def test_the_plot_has_a_line_per_score() -> None:
    found = rank_stability(MODELS, {"mig": told, "sap": told}, sizes=[20, 200], num_draws=2)
    axes = plot_stability(found, Figure().add_subplot())
    assert [line.get_label() for line in axes.get_lines()] == ["MIG", "SAP"]
    drawn = np.asarray(axes.get_lines()[0].get_ydata())
    assert drawn.tolist() == found["correlation"].iloc[:2].tolist()
