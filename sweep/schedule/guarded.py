"""Runs an attempt in a child process, records how it ends and keeps its output."""

import contextlib
import ctypes
import faulthandler
import logging
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from ..store.store import Store, StoreError
from ..work.attempt import Failure, Outcome, carry_out
from ..work.control import Control
from ..work.tasks import Task

MOST_BYTES = 2**20
"""Bytes kept of the beginning and of the end of an attempt's output."""

_LOOK_SECONDS = 30.0  # between looks at how far the attempt is: requests, on an object store
_PR_SET_PDEATHSIG = 1


def guard(task: Task) -> Outcome:
    """Runs a task in a child process; if the child fails, the outcome says how it ended.

    A child that reports no progress within the task's patience is killed.
    """
    # A fork has all modules already, and nothing here has started JAX; elsewhere it is not safe.
    context = mp.get_context("fork" if sys.platform == "linux" else "spawn")
    answer, give = context.Pipe(duplex=False)
    printed, output = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(task, give, output))
    child.start()
    give.close()
    output.close()
    log = _Log(printed, task)
    why, at = "", None
    try:
        report, since = _report(task), time.monotonic()
        while not answer.poll(min(_LOOK_SECONDS, task.patience_seconds / 4)):
            log.keep()  # the machine may not live to see the end
            last, report = report, _report(task)
            now = time.monotonic()
            since = now if report != last else since
            if now - since > task.patience_seconds:
                child.kill()
                why = f"no step or score in {task.patience_seconds / 60:g} min (task_minutes)"
        return answer.recv()
    except (EOFError, OSError):  # it has not answered, or only half
        child.join()
        report = _report(task)
        why = why or _describe_end(child.exitcode or 0)
        at = (report["trials"][0], report["step"]) if "doing" in report else None
        doing = f"{report['doing']}: " if at else ""
        return Outcome(task, failure=Failure("lost", doing + why), at=at)
    finally:
        child.kill()
        child.join()
        log.join(timeout=5.0)  # what the child has started may still hold the pipe
        log.keep()


def _report(task: Task) -> dict[str, Any]:
    with contextlib.suppress(StoreError):
        control = Control(Store(task.results_uri), task.run_id)
        return control.reports([task.attempt_id]).get(task.attempt_id, {})
    return {}


def _describe_end(code: int) -> str:
    """Describes how a process ended, from its exit code.

    >>> _describe_end(-11), _describe_end(7)
    ('the process was killed by SIGSEGV', 'the process exited with code 7')
    """
    if code >= 0:
        return f"the process exited with code {code}"
    memory = ", perhaps for lack of memory" if code == -signal.SIGKILL else ""
    return f"the process was killed by {signal.Signals(-code).name}{memory}"


def _work(task: Task, give: Connection, output: Connection) -> None:
    if sys.platform == "linux":  # what kills the parent kills the child
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    sys.stdout = sys.stderr = os.fdopen(2, "w", 1, closefd=False)  # line by line
    faulthandler.enable()
    logging.getLogger("teasel").addHandler(logging.StreamHandler())
    logging.getLogger("teasel").setLevel(logging.INFO)
    give.send(carry_out(task))


class _Log(threading.Thread):
    """Collects an attempt's output, and keeps its beginning and its end."""

    def __init__(self, printed: Connection, task: Task) -> None:
        super().__init__(daemon=True)
        self._printed, self._task = printed, task
        self._head, self._tail = b"", b""
        self._num_bytes = self._kept = 0
        self.start()

    def run(self) -> None:
        """Reads until all writers have closed the output."""
        while chunk := os.read(self._printed.fileno(), 2**16):
            room = MOST_BYTES - len(self._head)
            self._head += chunk[:room]
            self._tail = (self._tail + chunk[room:])[-MOST_BYTES:] if len(chunk) > room else b""
            self._num_bytes += len(chunk)

    def keep(self) -> None:
        """Writes the output to its file, if there is more than before."""
        if self._num_bytes > self._kept:
            self._kept = self._num_bytes
            left_out = self._num_bytes - len(self._head) - len(self._tail)
            gap = f"\n[{left_out:,} bytes omitted]\n".encode() if left_out else b""
            with contextlib.suppress(StoreError):  # how the attempt ended matters more
                store = Store(self._task.results_uri)
                store.write(f"logs/{self._task.attempt_id}.log", self._head + gap + self._tail)
