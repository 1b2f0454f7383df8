"""What every entry of the catalogue must do, whatever the codes."""

import inspect
import typing

import numpy as np
import pytest

from teasel.metrics import METRICS, PAPER_SEEDS, Bounds, TableRepresentation

SIZES = (3, 4)
GRID = np.stack(np.unravel_index(np.arange(12), SIZES), axis=1)
STANDARD = (GRID - GRID.mean(axis=0)) / GRID.std(axis=0)
FEW = {"num_train": 200, "num_test": 100, "num_variance": 200}


def indices_of(factors: np.ndarray, rng: object) -> np.ndarray:
    return np.ravel_multi_index(tuple(factors.T), SIZES)


def table(codes: np.ndarray, log_variances: np.ndarray | None = None) -> TableRepresentation:
    return TableRepresentation(codes, log_variances, SIZES, indices_of)


def few_points(name: str) -> dict[str, object]:
    if name.startswith("downstream"):
        return {"num_train": (10, 100), "num_test": 100}
    return {key: value for key, value in FEW.items() if key in METRICS[name].parameters}


CODES = {
    "identity": STANDARD,
    "duplicated": np.concatenate([STANDARD, STANDARD], axis=1),
    "half_constant": np.concatenate([STANDARD, np.full((12, 1), 0.1)], axis=1),
    "constant": np.full((12, 3), 0.1),
    "one_latent": STANDARD[:, :1],
    "float32": STANDARD.astype(np.float32),
}


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("name", METRICS)
def test_codes_of_any_kind_have_finite_scores(name: str, codes: str) -> None:
    scores = METRICS[name](table(CODES[codes]), np.random.default_rng(0), **few_points(name))
    assert scores
    for value in scores.values():
        assert isinstance(value, float)
        assert np.isfinite(value)


@pytest.mark.parametrize("sizes", [(1, 12), (12,)])
@pytest.mark.parametrize("name", METRICS)
def test_a_factor_of_one_value_or_a_single_factor_is_scored_or_refused(
    name: str, sizes: tuple[int, ...]
) -> None:
    codes = TableRepresentation(
        STANDARD, None, sizes, lambda factors, rng: np.ravel_multi_index(tuple(factors.T), sizes)
    )
    if name == "beta_vae_score" and len(sizes) == 1:
        with pytest.raises(ValueError, match="two factors"):
            METRICS[name](codes, np.random.default_rng(0), **few_points(name))
    else:
        scores = METRICS[name](codes, np.random.default_rng(0), **few_points(name))
        assert np.isfinite(list(scores.values())).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("name", METRICS)
def test_codes_that_are_not_finite_are_refused_with_a_reason(name: str, bad: float) -> None:
    codes = STANDARD.copy()
    codes[::2, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        METRICS[name](table(codes), np.random.default_rng(0), **few_points(name))


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
@pytest.mark.parametrize("name", METRICS)
def test_a_score_follows_its_seed_alone(
    name: str, kind: typing.Callable[[int], typing.Any]
) -> None:
    noisy = table(STANDARD, np.full(STANDARD.shape, -1.0))
    first, second = (METRICS[name](noisy, kind(3), **few_points(name)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", METRICS)
def test_parameters_are_keywords_with_a_default_a_type_and_bounds(name: str) -> None:
    metric = METRICS[name]
    hints = typing.get_type_hints(metric.function, include_extras=True)
    assert "num_train" in metric.parameters
    for parameter in metric.parameters.values():
        assert parameter.default is not inspect.Parameter.empty
        annotation = hints[parameter.name]
        if typing.get_origin(annotation) is typing.Annotated:
            assert any(isinstance(extra, Bounds) for extra in annotation.__metadata__)
    assert metric.reference
    assert metric.version >= 1


def test_the_study_seeds_are_those_of_its_harness() -> None:
    # The original draws a seed for each representation, then for its nine metrics in the order of
    # their names (spec, evaluation harness), all from RandomState(0).
    draws = np.random.RandomState(0)
    draws.randint(2**32, size=2)
    names = "beta_vae_score dci downstream_gbt downstream_lr factor_vae_score mig modularity sap"
    for representation in ("mean", "sampled"):
        for name in [*names.split(), "unsupervised"]:
            assert PAPER_SEEDS[representation][name] == draws.randint(2**32), name
