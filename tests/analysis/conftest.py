"""Made results whose truth is known."""

import numpy as np
import pytest

from teasel.analysis.synthetic import SyntheticResults


@pytest.fixture(scope="session")
def made_results() -> SyntheticResults:
    """Two data sets, all 36 settings, three seeds: 216 models."""
    return SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=3)
