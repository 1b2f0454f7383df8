"""Checks methods and data sets before a run: here, in a child process, or on a cluster's nodes."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable

from ..study.remaining import Remaining
from ..work.preflight import Look, MissingFilesError, PreflightError, find_faults, what_to_look_at

_CHILD = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from teasel.sweep.work.preflight import answer; answer()"
)


def look_before(
    left: Remaining, find: Callable[[Look], list[str]] | None = None, open_data: bool = True
) -> None:
    """Makes sure that the methods and the data sets that are left can be used.

    Args:
        left: What is left to do.
        find: The function that looks; by default one in a process that uses no accelerator.
        open_data: Whether to open data sets of the user's own, which may prepare them.

    Raises:
        PreflightError: If something cannot be used; names everything that cannot.
    """
    untrained, unscored = ([t for t, _ in group] for group in (left.untrained, left.unscored))
    look = what_to_look_at(untrained, unscored, open_data)
    if not look.methods and not look.datasets:
        return
    if find is None:
        find = find_faults_in_a_child if look.is_foreign else find_faults
    faults = find(look)
    if faults:
        raise (PreflightError if look.is_foreign else MissingFilesError)("\n".join(faults))


def find_faults_in_a_child(look: Look) -> list[str]:
    """What `find_faults` says in a process that uses no accelerator."""
    run = subprocess.run(
        [sys.executable, "-P", "-c", _CHILD],
        input=pickle.dumps(sys.path) + pickle.dumps(look),
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
    )
    try:
        return json.loads(run.stdout)
    except ValueError:
        tail = run.stderr.decode(errors="replace").strip()[-2000:]
        what = f"the process that checks methods and data sets ended with {run.returncode}"
        return [f"{what}:\n{tail}"]
