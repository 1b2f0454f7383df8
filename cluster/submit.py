"""Submits a study to a cluster, once it has been checked here."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from . import kuberay, ray_job, slurm
from .job import prepare
from .schema import Cluster, KubeRay, RayJob, Slurm, load_cluster

TARGETS: dict[str, tuple[type[Cluster], Any]] = {
    "slurm": (Slurm, slurm),
    "kuberay": (KubeRay, kuberay),
    "ray-job": (RayJob, ray_job),
}
"""For each kind of cluster: the keys of its file, and the module that submits to it."""


def submit(
    target: str,
    names: Sequence[str],
    cluster: str,
    results: str | None = None,
    select: str | None = None,
    show: bool = False,
    dry_run: bool = False,
    changes: Sequence[str] = (),
) -> str:
    """Submits a study, or only renders or checks it, and returns the text to show.

    Args:
        target: A key of `TARGETS`.
        names: Packaged grids, or YAML files, of one study.
        cluster: The file that describes the cluster.
        results: Folder or URI; by default the one in the cluster's file, else ``results/<study>``
            in the current folder.
        select: Only the trials that meet these conditions.
        show: Only render what would be submitted.
        dry_run: Only check it, here and on the cluster.
        changes: Other values in the grids, each as in ``training.steps=1000``.

    Raises:
        ConfigError: If a grid or the cluster's file is wrong.
        SelectionError: If the selection is wrong.
        SubmitError: If something is missing here, or the cluster refuses the study.
    """
    shape, module = TARGETS[target]
    settings = load_cluster(cluster, shape)
    job = prepare(names, results or settings.results, select, changes)
    if show:
        return module.render(settings, job)
    module.check(settings, job)
    return (module.rehearse if dry_run else module.submit)(settings, job)


def example(target: str) -> str:
    """A cluster file to start from, with a comment for every key."""
    file = resources.files("teasel.cluster") / "examples" / f"{target}.yaml"
    return file.read_text(encoding="utf-8")
