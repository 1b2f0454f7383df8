"""What every test shares: a cache folder of its own and strict JAX arithmetic."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")


@pytest.fixture(scope="session", autouse=True)
def _cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache folder for the whole run, unless the environment names one."""
    with pytest.MonkeyPatch.context() as environment:
        if "TEASEL_CACHE_DIR" not in os.environ:
            cache = tmp_path_factory.getbasetemp() / "cache"
            environment.setenv("TEASEL_CACHE_DIR", str(cache))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of publishers' files; tests that need it are skipped without it."""
    given = os.environ.get("TEASEL_DATA_DIR")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no publishers' files: set TEASEL_DATA_DIR to a folder that holds them")
    return folder
