"""The best models come first, whichever way the score points."""

import numpy as np
import pytest

from teasel.analysis.tables import scores
from teasel.analysis.top import top
from teasel.errors import UnknownNameError
from teasel.tests.support.synthetic import SyntheticResults


@pytest.fixture(scope="module")
def results() -> SyntheticResults:
    return SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=2, pictures=False)


def test_the_best_models_of_a_data_set_come_first(results: SyntheticResults) -> None:
    wide = scores(results, wide=True).query("dataset == 'dsprites'")
    table = top(results, "mig", dataset="dsprites", num_models=3)
    assert list(table) == ["trial_id", "dataset", "method", "setting", "seed", "mig"]
    assert list(table["mig"]) == sorted(wide["mig"], reverse=True)[:3]
    assert list(table["trial_id"]) == list(wide.nlargest(3, "mig")["trial_id"])


def test_a_loss_is_better_when_it_is_lower(results: SyntheticResults) -> None:
    wide = scores(results, wide=True)
    assert (
        list(top(results, "reconstruction", num_models=2)["reconstruction"])
        == sorted(wide["reconstruction"])[:2]
    )
    assert top(results, "elbo", num_models=1)["elbo"][0] == wide["elbo"].max()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"metric": "migg"}, r"unknown score 'migg' in these results \(did you mean 'mig'\?\)"),
        ({"metric": "seed"}, r"unknown score 'seed' in these results"),
        (
            {"metric": "mig", "dataset": "dsprite"},
            r"unknown data set 'dsprite' in these.*'dsprites'",
        ),
    ],
)
def test_an_unknown_name_gets_a_suggestion(
    results: SyntheticResults, choice: dict, message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        top(results, **choice)
