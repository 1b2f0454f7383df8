"""A job on a running Ray cluster. It carries its grids, and Teasel itself if asked."""

import json
import logging
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .job import Job, SubmitError
from .schema import RayJob

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

GRACE_SECONDS = 60
"""The time that workers get to save themselves."""

ENVIRONMENT = {
    # The time that a job gets to save itself when it is stopped. Ray's default is 3.
    "RAY_JOB_STOP_WAIT_TIME_S": str(2 * GRACE_SECONDS),
    # The run sets variables for its tasks as well. Ray would refuse a name that both set.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
}
"""Environment variables of every job."""


def render(settings: RayJob, job: Job) -> str:
    """The shell commands that submit the job together with its grids."""
    submission, files = _submission(settings, job), job.files_to_ship()
    lines = ["folder=$(mktemp -d)"] if files else []
    for name, text in files.items():
        path = f'"$folder"/{shlex.quote(name)}'
        lines += [f"cat > {path} << 'END OF GRID'", text.removesuffix("\n"), "END OF GRID"]
    options = [f"--address {shlex.quote(settings.address)}"]
    options += ['--working-dir "$folder"'] if files else []
    for option, value in (("runtime-env", "runtime_env"), ("metadata", "metadata")):
        options.append(f"--{option}-json {shlex.quote(json.dumps(submission[value]))}")
    command = [*options, f"-- {submission['entrypoint']}"]
    lines.append(" \\\n    ".join(["ray job submit --no-wait", *command]))
    return "\n".join(lines) + "\n"


def _submission(settings: RayJob, job: Job) -> dict[str, Any]:
    arguments = [*job.arguments("."), "--grace", str(GRACE_SECONDS)]
    environment: dict[str, Any] = {"env_vars": ENVIRONMENT | settings.environment}
    if settings.wheel:
        environment["py_modules"] = [settings.wheel]
    return {
        "entrypoint": shlex.join(["python", "-m", "teasel", *arguments]),
        "runtime_env": environment,
        "metadata": {"study": job.study},
    }


def check(settings: RayJob, job: Job) -> None:
    """Checks that the job can be submitted.

    Raises:
        SubmitError: If the wheel does not exist, or no cluster answers at the address.
    """
    job.files_to_ship()
    if settings.wheel and not Path(settings.wheel).is_file():
        raise SubmitError(f"no wheel {settings.wheel}: `pyproject-build --wheel` makes one in dist")
    _client(settings)


def rehearse(settings: RayJob, job: Job) -> str:
    """The commands that would submit the job. Ray cannot check a job without running it."""
    return (
        f"{settings.address} answers. These commands would submit the job:\n{render(settings, job)}"
    )


def submit(settings: RayJob, job: Job) -> str:
    """Submits the job, and says how to follow it.

    Raises:
        SubmitError: If the cluster refuses it.
    """
    submission = _submission(settings, job)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in job.files_to_ship().items():
            Path(folder, name).write_text(text, encoding="utf-8")
            submission["runtime_env"]["working_dir"] = folder
        try:
            number = _client(settings).submit_job(**submission)
        except (OSError, RuntimeError, ValueError) as error:
            raise SubmitError(f"{settings.address} refuses the job: {error}") from error
    return f"Submitted {number}:\n" + "\n".join(
        f"  ray job {verb} --address {settings.address} {number}"
        for verb in ("status", "logs --follow", "stop")
    )


def _client(settings: RayJob) -> "JobSubmissionClient":
    from ray.exceptions import RayError
    from ray.job_submission import JobSubmissionClient

    # The error says what Ray would log.
    logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.ERROR)
    try:
        return JobSubmissionClient(settings.address)
    except (OSError, RuntimeError, RayError) as error:
        raise SubmitError(f"no Ray cluster at {settings.address}: {error}") from error
