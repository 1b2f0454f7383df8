"""A study, checked here, to be run by a cluster."""

from collections.abc import Sequence
from importlib import resources
from types import ModuleType
from typing import NamedTuple

from . import kuberay, ray_job, slurm
from .job import prepare
from .schema import Cluster, KubeRay, RayJob, Slurm, load_cluster


class Target(NamedTuple):
    """A kind of cluster: what its file says, and the module that renders, checks and submits."""

    shape: type[Cluster]
    module: ModuleType


TARGETS = {
    "slurm": Target(Slurm, slurm),
    "kuberay": Target(KubeRay, kuberay),
    "ray-job": Target(RayJob, ray_job),
}


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
    """Submits a study, or only renders or checks it, and returns what there is to say.

    Args:
        target: A key of `TARGETS`.
        names: Packaged grids, or YAML files, of one study.
        cluster: The file that describes the cluster.
        results: Folder or URI; by default that of the cluster's file, else ``results/<study>``
            below the current folder.
        select: Only the trials that meet these conditions.
        show: Render what would be submitted, and no more.
        dry_run: Check it, here and by the cluster, and no more.
        changes: Other values in the grids, each as in ``training.steps=1000``.

    Raises:
        ConfigError: If a grid or the cluster's file is wrong.
        SelectionError: If the selection is wrong.
        SubmitError: If something is missing here, or the cluster refuses.
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
