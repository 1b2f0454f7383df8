"""Slurm: a job that starts a Ray of its own, or an array of such jobs."""

import logging
import math
import re
import shlex
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

from ..errors import hint
from .job import Job, SubmitError
from .schema import Slurm

logger = logging.getLogger("teasel")


def render(settings: Slurm, job: Job) -> str:
    """The script for sbatch: options, variables, and the fixed part, ``slurm.sh``."""
    command = ["teasel", *job.arguments(), "--grace", str(settings.warning_seconds - 30)]
    shard = '"$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"'
    container = ["apptainer", "exec", "--nv", settings.container] if settings.container else []
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in _options(settings, job)),
        # The folder of teasel and ray. A line of the setup, or a container, may choose another.
        f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
        "warned=",
        "trap warned=yes TERM",
        *(line for own in settings.setup for line in (own, _stop_if_it_fails(own))),
        f"interface={shlex.quote(settings.interface or '')}",
        f"container=({shlex.join(container)})",
        f"study=({shlex.join(command)}{f' --shard {shard}' if settings.array else ''})",
    ]
    body = (resources.files("teasel.cluster") / "slurm.sh").read_text(encoding="utf-8")
    return "\n".join(lines) + "\n\n" + body


def _stop_if_it_fails(line: str) -> str:
    words = shlex.quote(f"teasel: this line of the setup fails: {line}")
    return f"[[ $? == 0 ]] || {{ echo {words} >&2; exit 1; }}"


def _options(settings: Slurm, job: Job) -> list[str]:
    values = {
        "job-name": f"teasel-{job.study}",
        "partition": settings.partition,
        "account": settings.account,
        "nodes": settings.nodes,
        "array": f"1-{settings.array}" if settings.array else None,
        "ntasks-per-node": 1,
        "cpus-per-task": settings.cpus_per_node,
        "gpus-per-node": settings.gpus_per_node or None,
        "mem": settings.memory_per_node,
        "time": math.ceil(60 * settings.hours),
        "signal": f"B:TERM@{settings.warning_seconds}",
        "output": f"teasel-{job.study}-%j.out",
        "open-mode": "append",
    }
    own = [option.partition("=") for option in settings.options]
    return [
        *(f"--{name}={shlex.quote(str(value))}" for name, value in values.items() if value),
        "--requeue",
        *(name + equals + (shlex.quote(value) if equals else "") for name, equals, value in own),
    ]


def check(settings: Slurm, job: Job) -> None:
    """Checks that the job can be submitted.

    Raises:
        SubmitError: If Slurm is not installed, or has no such partition, or limits its hours more.
    """
    if not shutil.which("sbatch"):
        raise SubmitError("no sbatch on the path: submit on a login node, or use --print")
    lines = _call("sinfo", "--all", "--noheader", "--format=%R %l").splitlines()
    limits = {name: _hours(limit) for name, limit in (line.split() for line in lines if line)}
    named = settings.partition.split(",")
    for partition in named:
        if partition not in limits:
            raise SubmitError(
                f"Slurm has no partition '{partition}'{hint(partition, list(limits))}"
            )
    longest = max(limits[partition] for partition in named)
    if settings.hours > longest:
        raise SubmitError(
            f"hours: {settings.hours:g}, but partition {settings.partition} allows {longest:g} at "
            "most: ask for fewer; the job goes back into the queue until the study is done"
        )
    if re.match(r"/(tmp|var/tmp|dev/shm)/", job.results):
        logger.warning(
            "%s is probably local to this machine, but every node must see the results", job.results
        )


def _hours(limit: str) -> float:
    """A time limit of Slurm in hours; infinite if the text is not a time.

    >>> _hours("1-12:30:00"), _hours("30:00"), _hours("infinite")
    (36.5, 0.5, inf)
    """
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not found:
        return math.inf
    days, hours, minutes, seconds = (int(given or 0) for given in found.groups())
    return 24 * days + hours + minutes / 60 + seconds / 3600


def rehearse(settings: Slurm, job: Job) -> str:
    """What Slurm says about the job, without submitting it.

    Raises:
        SubmitError: If Slurm would refuse it.
    """
    return _call("sbatch", "--test-only", script=render(settings, job))


def submit(settings: Slurm, job: Job) -> str:
    """Submits the job, and says how to follow it.

    Raises:
        SubmitError: If Slurm refuses it.
    """
    number = _call("sbatch", "--parsable", script=render(settings, job)).strip().split(";")[0]
    return (
        f"Submitted job {number}: its log is teasel-{job.study}-*.out here.\n"
        f"  squeue --jobs {number}\n"
        f"  teasel status {shlex.quote(job.results)}\n"
        f"  scancel {number}    # submit again to go on"
    )


def _call(*command: str, script: str | None = None) -> str:
    run = subprocess.run(command, input=script, capture_output=True, text=True)
    if run.returncode:
        raise SubmitError(f"{command[0]} refuses: {run.stderr.strip()}")
    return run.stdout + (run.stderr if "--test-only" in command else "")
