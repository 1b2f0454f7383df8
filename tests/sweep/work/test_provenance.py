"""Which code an attempt says it ran."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from teasel.sweep.work import provenance
from teasel.version import __version__

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module that a repository tracks."""
    file = tmp_path / "mine" / "__init__.py"
    file.parent.mkdir()
    file.write_text("")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "First"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return file


def test_a_file_that_a_repository_tracks_has_its_commit(module: Path) -> None:
    commit = provenance._commit_of(module)
    assert len(commit) == 12
    module.write_text("changed = True")
    assert provenance._commit_of(module) == f"{commit}, changed"
    other = module.with_name("other.py")
    other.write_text("")  # as in an environment inside of somebody else's repository
    assert provenance._commit_of(other) == ""
    assert provenance._commit_of(None) == ""


def test_plug_ins_are_named_with_version_and_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def distribution(name: str, url: Any) -> Any:
        return SimpleNamespace(
            name=name,
            version="1.2",
            read_text=lambda file: None if url is None else json.dumps(url),
        )

    points = [
        SimpleNamespace(module="nowhere.mine", dist=distribution("mine", None)),
        SimpleNamespace(
            module="nowhere.yours", dist=distribution("yours", {"vcs_info": {"commit_id": COMMIT}})
        ),
    ]
    monkeypatch.setattr(provenance, "entry_points", lambda group: points)
    found = json.loads(provenance.running_code.__wrapped__())
    assert found.pop("teasel").startswith(__version__)
    assert found == {"mine": "1.2", "yours": f"1.2 ({COMMIT[:12]})"}
