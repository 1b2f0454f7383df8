"""Pure functions of arrays give what the original's code gave for the same arrays."""

from collections.abc import Callable

import numpy as np
import pytest

from teasel.metrics import (
    completeness,
    dci,
    discretize,
    disentanglement,
    explicitness,
    irs,
    irs_matrix,
    mig,
    modularity,
    mutual_information_matrix,
    sap_matrix,
    unsupervised_scores,
)
from teasel.metrics.mig import top_two_gap
from teasel.metrics.modularity import modularity_of_information
from teasel.metrics.mutual_information import entropy
from teasel.metrics.unsupervised import total_correlation, wasserstein_correlation

Arrays = Callable[[str], dict[str, np.ndarray]]

SMALL = ("small_mixed_seed1", "small_axis_seed2", "small_dup_seed3", "small_dead_seed4")
LARGE = (
    "dsprites_mixed_seed5",
    "dsprites_axis_seed6",
    "dsprites_float32_seed7",
    "cars3d_mixed_seed8",
)


@pytest.mark.parametrize("name", SMALL + LARGE)
def test_information_agrees_to_a_millionth(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    codes, factors = arrays["mus_train"], arrays["ys_train"]
    np.testing.assert_array_equal(discretize(codes) + 1, arrays["discretized_mus_train"])
    np.testing.assert_allclose(
        mutual_information_matrix(codes, factors),
        arrays["mutual_info_matrix"],
        rtol=1e-6,
        atol=1e-12,
    )
    np.testing.assert_allclose(entropy(factors), arrays["factor_entropy"], rtol=1e-6)
    assert mig(codes, factors) == pytest.approx(float(arrays["mig"]), rel=1e-6)
    assert modularity(codes, factors) == pytest.approx(float(arrays["modularity_score"]), rel=1e-6)


@pytest.mark.parametrize("name", SMALL + LARGE)
def test_unsupervised_scores_agree_to_a_millionth(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    scores = unsupervised_scores(arrays["mus_train"])._asdict()
    if (
        np.linalg.eigvalsh(arrays["cov_mus"])[0] < 1e-9
    ):  # a singular covariance: rounding errors or NaN in the original
        del scores["gaussian_total_correlation"]
    for score, value in scores.items():
        assert value == pytest.approx(float(arrays[score]), rel=1e-6, abs=1e-9), score


@pytest.mark.parametrize("name", SMALL + LARGE)
def test_interventional_robustness_agrees_to_a_millionth(
    name: str, reference_arrays: Arrays
) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    codes, factors = arrays["mus_train"], arrays["ys_train"]
    varied = codes.min(axis=0) < codes.max(axis=0)
    np.testing.assert_allclose(
        irs_matrix(codes, factors)[varied], arrays["irs_matrix"], rtol=1e-6, atol=1e-7
    )
    assert irs(codes, factors) == pytest.approx(float(arrays["irs"]), rel=1e-6)


@pytest.mark.parametrize("name", [*SMALL, "dsprites_float32_seed7", "cars3d_mixed_seed8"])
def test_sap_agrees_to_one_test_point(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    matrix = sap_matrix(*(arrays[key] for key in ("mus_train", "ys_train", "mus_test", "ys_test")))
    one_point = 1 / len(arrays["ys_test"])
    np.testing.assert_allclose(matrix, arrays["sap_score_matrix"], rtol=0, atol=one_point + 1e-12)


@pytest.mark.parametrize(
    "name", ["small_mixed_seed1", "small_axis_seed2", "small_dup_seed3", "dsprites_float32_seed7"]
)
def test_explicitness_agrees_to_a_thousandth(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    scores = explicitness(
        *(arrays[key] for key in ("mus_train", "ys_train", "mus_test", "ys_test"))
    )
    for split in ("train", "test"):
        expected = arrays[f"explicitness_{split}_per_factor"].mean()
        assert getattr(scores, split) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ["small_mixed_seed1", "small_axis_seed2"])
def test_dci_of_continuous_codes_agrees(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays(f"arrays_{name}")
    scores = dci(*(arrays[key] for key in ("mus_train", "ys_train", "mus_test", "ys_test")))
    # Ties are broken by another seed: within the spread of scikit-learn's own (spec: 0.02).
    np.testing.assert_allclose(scores.importance, arrays["gbt_importance_matrix_rs0"], atol=0.02)
    assert scores.disentanglement == pytest.approx(arrays["dci_disentanglement_rs0"], abs=0.02)
    assert scores.completeness == pytest.approx(arrays["dci_completeness_rs0"], abs=0.02)
    assert scores.informativeness_test == pytest.approx(arrays["gbt_test_acc_rs0"].mean(), abs=0.02)


def test_scores_of_any_matrix_agree_to_a_billionth(reference_arrays: Arrays) -> None:
    arrays = reference_arrays("matrices_seed11")
    names = [key.removesuffix("/matrix") for key in arrays if key.endswith("/matrix")]
    assert names
    for name in names:
        matrix = arrays[f"{name}/matrix"]
        ours = {
            "dci_disentanglement": disentanglement(matrix),
            "dci_completeness": completeness(matrix),
            "modularity": modularity_of_information(matrix),
            "sap_avg_diff_top_two": top_two_gap(matrix).mean(),
        }
        for score, value in ours.items():
            assert value == pytest.approx(float(arrays[f"{name}/{score}"]), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["c10", "c5"])
def test_scores_of_any_covariance_agree_to_a_billionth(name: str, reference_arrays: Arrays) -> None:
    arrays = reference_arrays("matrices_seed11")
    covariance = arrays[f"{name}/cov"]
    for score, value in (
        ("gaussian_total_correlation", total_correlation(covariance)),
        ("gaussian_wasserstein_correlation", wasserstein_correlation(covariance)),
    ):
        assert value == pytest.approx(float(arrays[f"{name}/{score}"]), rel=1e-9)
