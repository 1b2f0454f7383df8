"""The classifier of the BetaVAE score."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from teasel.metrics import METRICS, TableRepresentation

FEW = {"batch_size": 2, "num_train": 300, "num_test": 200}


@pytest.mark.parametrize("one_vs_rest", [False, True])
def test_it_is_the_softmax_of_today_or_the_paper_s_liblinear_in_float64(one_vs_rest: bool) -> None:
    rng = np.random.RandomState(0)
    codes = 0.2 * rng.normal(size=(24, 3))
    codes[:, 0] += np.arange(24) // 12
    codes[:, 1] += np.arange(24) // 4 % 3
    codes = codes.astype(np.float32)
    sizes = (2, 3, 4)
    place = np.array([12, 4, 1])
    table = TableRepresentation(codes, None, sizes, lambda factors, rng: factors @ place)
    scores = METRICS["beta_vae_score"](
        table, np.random.RandomState(1), one_vs_rest=one_vs_rest, **FEW
    )

    drawn = np.random.RandomState(1)  # the original's order: the factor, then the two batches

    def points(num: int) -> tuple[np.ndarray, np.ndarray]:
        found, labels = np.zeros((num, 3)), np.zeros(num, int)
        for point in range(num):
            labels[point] = drawn.randint(3)
            first, second = (
                np.stack([drawn.randint(size, size=2) for size in sizes], axis=1) for _ in range(2)
            )
            second[:, labels[point]] = first[:, labels[point]]
            pair = codes.astype(float)[first @ place], codes.astype(float)[second @ place]
            found[point] = np.mean(np.abs(pair[0] - pair[1]), axis=0)
        return found, labels

    train, test = points(300), points(200)
    plain = LogisticRegression(solver="liblinear", random_state=0)
    model = (OneVsRestClassifier(plain) if one_vs_rest else LogisticRegression()).fit(*train)
    assert scores == {
        "beta_vae_score": pytest.approx(model.score(*test), abs=1e-12),
        "train_accuracy": pytest.approx(model.score(*train), abs=1e-12),
    }
    assert scores["beta_vae_score"] > 0.4  # chance is a third
