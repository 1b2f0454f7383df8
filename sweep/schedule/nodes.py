"""Finds machines that fail attempts which succeed elsewhere."""

from ..work.tasks import Task

MOST_PROVEN = 2
"""Failed attempts of a machine that succeed on another, after which it gets no more work."""


class Nodes:
    """Records where attempts failed, to find machines at fault after a success elsewhere.

    A trial that fails everywhere blames no machine, and a success on a machine clears its record.
    """

    def __init__(self) -> None:
        self._failed: dict[str, list[set[str]]] = {}  # trials of each attempt, by node
        self._proven: dict[str, int] = {}

    def note_failure(self, node: str, task: Task) -> None:
        """Records the trials that failed on a node, if the node is known."""
        if node:
            trials = {trial.trial_id for trial in task.trials}
            self._failed.setdefault(node, []).append(trials)

    def note_success(self, node: str, task: Task) -> list[str]:
        """The nodes that should get no more work, now that the task has succeeded on another."""
        for known in (self._failed, self._proven):
            known.pop(node, None)
        trials, found = {trial.trial_id for trial in task.trials}, []
        for other, attempts in self._failed.items():
            rest = [each for each in attempts if not each & trials]
            self._proven[other] = self._proven.get(other, 0) + len(attempts) - len(rest)
            attempts[:] = rest
            if self._proven[other] >= MOST_PROVEN:
                found.append(other)
        for other in found:
            del self._failed[other], self._proven[other]
        return found
