"""The code that an attempt runs: versions, and commits if known."""

import json
import subprocess
from functools import cache
from importlib.metadata import Distribution, entry_points
from importlib.util import find_spec
from pathlib import Path

from ...version import __version__

GROUPS = ("methods", "networks", "likelihoods", "priors", "metrics", "datasets")
"""The groups of entry points, without the leading "teasel."."""


@cache
def running_code() -> str:
    """A JSON mapping from Teasel and each package with plug-ins to its version and commit."""
    found = {"teasel": _describe(__version__, _commit_of(Path(__file__)))}
    for group in GROUPS:
        for point in entry_points(group=f"teasel.{group}"):
            if point.dist is not None and point.dist.name not in found:
                commit = _installed_commit(point.dist) or _commit_of(_file_of(point.module))
                found[point.dist.name] = _describe(point.dist.version, commit)
    return json.dumps(found, sort_keys=True)


def _describe(version: str, commit: str) -> str:
    return f"{version} ({commit})" if commit else version


def _installed_commit(distribution: Distribution) -> str:
    """The commit that a package was installed from, as recorded by its installer."""
    try:
        text = distribution.read_text("direct_url.json") or "{}"
        return json.loads(text).get("vcs_info", {}).get("commit_id", "")[:12]
    except (OSError, ValueError, AttributeError):
        return ""


def _file_of(module: str) -> Path | None:
    """The file of a module's package, found without importing it."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _commit_of(file: Path | None) -> str:
    """The commit of the repository with a file, followed by "changed" if more was changed."""
    if file is None or not _git(file, "ls-files", "--error-unmatch", file.name):
        return ""
    commit = _git(file, "rev-parse", "--short=12", "HEAD")
    changed = _git(file, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}, changed" if changed else commit


def _git(file: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(file.parent), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
