"""What the tasks' own processes do, without a Ray."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from teasel.sweep.schedule import ray as ray_executor
from teasel.sweep.store.store import Store, StoreError


def test_a_log_that_cannot_be_kept_does_not_replace_what_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Store, name: str, content: bytes) -> None:
        raise StoreError(f"cannot write {name}: {errno.ENOSPC}")

    monkeypatch.setattr(Store, "write", refuse)

    def attempt() -> None:
        with ray_executor._redirect_output(Store(tmp_path), "logs/attempt.log"):
            print("half a line")
            raise ZeroDivisionError("the attempt's own error")

    with pytest.raises(ZeroDivisionError, match="the attempt's own error"):
        attempt()
    assert not (tmp_path / "logs").exists()


def test_a_worker_is_prepared_before_jax_is_imported() -> None:
    code = "import sys\nimport teasel.sweep.schedule.ray\nassert 'jax' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True)
