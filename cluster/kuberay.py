"""Kubernetes: a KubeRay RayJob. Its head computes nothing, and its workers come and go."""

import re
import shutil
import subprocess
from importlib.metadata import version
from secrets import token_hex
from shlex import join
from typing import Any

import yaml

from .job import Job, SubmitError
from .ray_job import ENVIRONMENT, GRACE_SECONDS
from .schema import KubeRay

_FOLDER = "/etc/teasel"
_SCRIPT = """\
trap : TERM # The run gets the signal too, and ends first.
{run}
code=$?
# KubeRay starts a job that fails again. These failures would only come again.
case $code in
1) echo "teasel: some trials failed; a new cluster would not help, so the job ends" ;;
2) echo "teasel: the run was refused; a new cluster would not help, so the job ends" ;;
4) echo "teasel: this is a bug; a new cluster would not help, so the job ends" ;;
*) exit $code ;;
esac
"""
"""What the head runs."""

_COMMENTS = {
    "entrypoint": "The head runs the script of the ConfigMap.",
    "runtimeEnvYAML": "The run gets two minutes to save itself when the job is stopped.",
    "backoffLimit": "If the head is lost, a new cluster goes on from the results.",
    "shutdownAfterJobFinishes": "The cluster is removed five minutes after the job has ended.",
    "authOptions": "The operator makes a token for Ray, and keeps it in a Secret.",
    "enableInTreeAutoscaling": "Workers come while trials wait, and go when they are idle.",
    "headGroupSpec": "The head schedules the work and computes nothing.",
    "lifecycle": "A pod that must stop makes the file TEASEL_LEAVING: its packs save themselves.",
    "affinity": "The head keeps off spot machines, for the run stops when it is lost.",
    "volumes": "The script, and the grids that are files.",
    "workerGroupSpecs": "The workers train and score.",
    "tolerations": "Workers may use machines that are kept for accelerators or are spot machines.",
}
"""What the parts of a RayJob are for, by the key before which it is said, once."""

_LEAVING = "/tmp/teasel-leaving"
_SPOT_LABELS = {
    "cloud.google.com/gke-spot": "true",
    "eks.amazonaws.com/capacityType": "SPOT",
    "karpenter.sh/capacity-type": "spot",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""The labels of spot machines, which a cloud may take back."""

_STEADY = {
    "nodeSelectorTerms": [
        {
            "matchExpressions": [
                {"key": key, "operator": "NotIn", "values": [value]}
                for key, value in _SPOT_LABELS.items()
            ]
        }
    ]
}


def render(settings: KubeRay, job: Job) -> str:
    """The manifests: a ConfigMap of the script and the grids that are files, and the RayJob."""
    return _write(manifests(settings, job))


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        """Writes what stands twice twice."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _write(objects: list[dict[str, Any]]) -> str:
    """The objects as YAML, with comments."""
    *others, job = (
        yaml.dump(each, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=1000)
        for each in objects
    )
    for key, comment in _COMMENTS.items():
        job = re.sub(rf"^( *)({key}:)", rf"\1# {comment}\n\1\2", job, count=1, flags=re.MULTILINE)
    return "---\n".join([*others, job])


def manifests(settings: KubeRay, job: Job) -> list[dict[str, Any]]:
    """The Kubernetes objects of a job.

    Raises:
        SubmitError: If the results are not at a URI, or a grid cannot be shipped.
    """
    if "://" not in job.results or job.results.startswith("file:"):
        what = "expected results at a URI that every pod reaches, as in s3://bucket/folder"
        raise SubmitError(f"{what}, got {job.results}")
    study = job.study.lower().replace("_", "-").replace(".", "-")[:32].rstrip("-")
    # Each submission has its own name: what is left of an earlier one may still be there.
    name = f"teasel-{study}-{token_hex(3)}"
    metadata = {"name": name, "namespace": settings.namespace}
    run = join(["teasel", *job.arguments(_FOLDER), "--grace", str(GRACE_SECONDS)])
    # A key of a ConfigMap may not have every character that a file's name has.
    names = {"run.sh": "run.sh"} | {f"grid-{n}": name for n, name in enumerate(job.files_to_ship())}
    files = {"run.sh": _SCRIPT.format(run=run)}
    files |= {f"grid-{n}": text for n, text in enumerate(job.files_to_ship().values())}
    spec = {
        # Two shells would parse a longer command on its way to the head, and nobody quotes it.
        "entrypoint": f"sh {_FOLDER}/run.sh",
        "runtimeEnvYAML": yaml.safe_dump({"env_vars": ENVIRONMENT}),
        "submissionMode": "K8sJobMode",
        "backoffLimit": settings.retries,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": 300,
        "rayClusterSpec": _cluster(settings, name, names),
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata, "spec": spec},
    ]


def _cluster(settings: KubeRay, files: str, names: dict[str, str]) -> dict[str, Any]:
    accelerator = {
        "nvidia.com/gpu": settings.gpus_per_worker,
        "google.com/tpu": settings.tpus_per_worker,
    }
    accelerator = {resource: str(number) for resource, number in accelerator.items() if number}
    head = _pod("ray-head", settings, settings.head_cpus, settings.head_memory, {})
    head["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _STEADY}}
    worker = _pod(
        "ray-worker", settings, settings.cpus_per_worker, settings.memory_per_worker, accelerator
    )
    if settings.node_selector:
        worker["nodeSelector"] = settings.node_selector
    if tolerated := [*accelerator, *(_SPOT_LABELS if settings.spot else ())]:
        worker["tolerations"] = [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in tolerated
        ]
    items = [{"key": key, "path": path} for key, path in names.items()]
    head["volumes"] = [{"name": "study", "configMap": {"name": files, "items": items}}]
    head["containers"][0]["volumeMounts"] = [{"name": "study", "mountPath": _FOLDER}]
    return {
        "rayVersion": version("ray"),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2", "idleTimeoutSeconds": 300},
        "headGroupSpec": {
            # The submitter runs in a pod of its own, so the dashboard must listen to other pods.
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0", "dashboard-host": "0.0.0.0"},
            "template": {"spec": head},
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "minReplicas": settings.min_workers,
                "replicas": settings.min_workers,
                "maxReplicas": settings.workers,
                "rayStartParams": {"object-store-memory": "134217728"},  # few bytes pass through it
                "template": {"spec": worker},
            }
        ],
    }


def _pod(
    name: str, settings: KubeRay, cpus: int, memory: str, accelerator: dict[str, str]
) -> dict[str, Any]:
    resources = {"cpu": str(cpus), "memory": memory} | accelerator
    environment = settings.environment | {"TEASEL_LEAVING": _LEAVING}
    container: dict[str, Any] = {
        "name": name,
        "image": settings.image,
        "resources": {"requests": resources, "limits": dict(resources)},
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "lifecycle": {"preStop": {"exec": {"command": _pre_stop(settings.grace_seconds)}}},
    }
    if settings.secrets:
        container["envFrom"] = [{"secretRef": {"name": secret}} for secret in settings.secrets]
    pod: dict[str, Any] = {
        "restartPolicy": "Never",  # the autoscaler replaces a pod that is lost
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "containers": [container],
    }
    if settings.service_account:
        pod["serviceAccountName"] = settings.service_account
    return pod


def _pre_stop(grace_seconds: int) -> list[str]:
    """The command that lets packs save themselves before SIGTERM, which ends Ray at once."""
    return ["/bin/sh", "-c", f"touch {_LEAVING} && sleep {grace_seconds - 5}"]


def check(settings: KubeRay, job: Job) -> None:
    """Checks that the job can be submitted.

    Raises:
        SubmitError: If the manifests cannot be made, if there is no kubectl, or if you may not
            submit.
    """
    manifests(settings, job)
    if not shutil.which("kubectl"):
        raise SubmitError("no kubectl on the path: install it, or use --print")
    for kind in ("rayjobs.ray.io", "configmaps"):
        command = ["kubectl", "auth", "can-i", "create", kind, "-n", settings.namespace]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.stdout.strip() != "yes":
            why = run.stderr.strip() or run.stdout.strip()
            what = f"you may not create {kind} in the namespace '{settings.namespace}'"
            raise SubmitError(f"{what}: {why}" if why else what)


def rehearse(settings: KubeRay, job: Job) -> str:
    """What the cluster would do with the manifests, without keeping them.

    Raises:
        SubmitError: If it would refuse them.
    """
    return _create(settings, manifests(settings, job), "--dry-run=server")


def submit(settings: KubeRay, job: Job) -> str:
    """Submits the manifests, and says how to follow the job.

    Raises:
        SubmitError: If the cluster refuses them.
    """
    objects = manifests(settings, job)
    said = _create(settings, objects)
    name = objects[-1]["metadata"]["name"]
    return (
        f"{said.strip()}\n"
        f"  kubectl get rayjob {name} -n {settings.namespace}\n"
        f"  kubectl logs -f -l job-name={name} -n {settings.namespace}\n"
        f"  kubectl delete rayjob,configmap {name} -n {settings.namespace}    # stops it"
    )


def _create(settings: KubeRay, objects: list[dict[str, Any]], *options: str) -> str:
    command = ["kubectl", "create", *options, "-n", settings.namespace, "-f", "-"]
    run = subprocess.run(command, input=_write(objects), capture_output=True, text=True)
    if run.returncode:
        raise SubmitError(f"kubectl refuses: {run.stderr.strip()}")
    return run.stdout
