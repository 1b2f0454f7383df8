"""What every test shares: a cache folder of its own, compiled programs, strict JAX arithmetic."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")

COMPILED = tempfile.mkdtemp(prefix="teasel-compiled-")
"""Programs that this run has compiled: for its next test and for the processes that it starts."""

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", COMPILED)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def pytest_configure(config: pytest.Config) -> None:
    """Lets XLA optimise only where slow tests run: without, it compiles in half the time."""
    if config.option.markexpr == "not slow":
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0".strip()


def pytest_unconfigure() -> None:
    """Removes them."""
    shutil.rmtree(COMPILED, ignore_errors=True)


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
    if not given:
        pytest.skip("no publishers' files: set TEASEL_DATA_DIR to a folder that holds them")
    return Path(given)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a clean copy of the tracked files."""
    root = Path(__file__).parents[1]
    source = tmp_path_factory.mktemp("source")
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if (root / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((root / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run([*command, str(source)], capture_output=True, text=True, cwd=out)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = out.glob("*.whl")
    return built
