"""Made results whose truth is known."""

from pathlib import Path

import numpy as np
import pytest

from teasel.analysis import write_report
from teasel.testing.synthetic import SyntheticResults


@pytest.fixture(scope="session")
def made_results() -> SyntheticResults:
    """Two data sets, all 36 settings, three seeds: 216 models."""
    return SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=3)


@pytest.fixture(scope="session")
def report(made_results: SyntheticResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page written about the made results."""
    return write_report(made_results, tmp_path_factory.mktemp("report") / "report.html")
