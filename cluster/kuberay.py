"""Kubernetes: a KubeRay RayJob whose head never computes, on workers that come and go."""

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
trap : TERM # the run ends first
{run}
code=$?
case $code in
1) echo "teasel: some trials failed, and would again: not begun again" ;;
2) echo "teasel: the run was refused, and would be again: not begun again" ;;
4) echo "teasel: a bug, which would show again: not begun again" ;;
*) exit $code ;;
esac
"""
"""What the head runs: a failure that another cluster would only repeat is no failure of the job."""

_LEAVING = "/tmp/teasel-leaving"
_SPOT_LABELS = {
    "cloud.google.com/gke-spot": "true",
    "eks.amazonaws.com/capacityType": "SPOT",
    "karpenter.sh/capacity-type": "spot",
    "kubernetes.azure.com/scalesetpriority": "spot",
}
"""How the clouds mark a machine that they may take back."""

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
    return yaml.safe_dump_all(manifests(settings, job), sort_keys=False)


def manifests(settings: KubeRay, job: Job) -> list[dict[str, Any]]:
    """The Kubernetes objects of a job.

    Raises:
        SubmitError: If the results are not at a URI, or a grid cannot be shipped.
    """
    if "://" not in job.results or job.results.startswith("file:"):
        what = "expected results at a URI that every pod reaches, as in s3://bucket/folder"
        raise SubmitError(f"{what}, got {job.results}")
    study = job.study.lower().replace("_", "-").replace(".", "-")[:32].rstrip("-")
    # Of this submission alone: the same study may be submitted again beside what is left of it.
    name = f"teasel-{study}-{token_hex(3)}"
    metadata = {"name": name, "namespace": settings.namespace}
    run = join(["teasel", *job.arguments(_FOLDER), "--grace", str(GRACE_SECONDS)])
    # A key may not have every character that a file's name has.
    names = {"run.sh": "run.sh"} | {f"grid-{n}": name for n, name in enumerate(job.files_to_ship())}
    files = {"run.sh": _SCRIPT.format(run=run)}
    files |= {f"grid-{n}": text for n, text in enumerate(job.files_to_ship().values())}
    spec = {
        # A file: on its way to the head, a command is parsed by two shells, and quoted for none.
        "entrypoint": f"sh {_FOLDER}/run.sh",
        "runtimeEnvYAML": yaml.safe_dump({"env_vars": ENVIRONMENT}),
        "submissionMode": "K8sJobMode",
        # Each retry is a new cluster that goes on from the results folder.
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
    worker["nodeSelector"] = settings.node_selector
    worker["tolerations"] = [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"}
        for key in (*accelerator, *(_SPOT_LABELS if settings.spot else ()))
    ]
    items = [{"key": key, "path": path} for key, path in names.items()]
    head["volumes"] = [{"name": "study", "configMap": {"name": files, "items": items}}]
    head["containers"][0]["volumeMounts"] = [{"name": "study", "mountPath": _FOLDER}]
    return {
        "rayVersion": version("ray"),
        # The operator makes a token, keeps it in a Secret and gives it to every pod.
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2", "idleTimeoutSeconds": 300},
        "headGroupSpec": {
            # The submitter sits in a pod of its own, so the dashboard must listen beyond the head.
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0", "dashboard-host": "0.0.0.0"},
            "template": {"spec": head},
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "minReplicas": settings.min_workers,
                "replicas": settings.min_workers,
                "maxReplicas": settings.workers,
                "rayStartParams": {"object-store-memory": "134217728"},  # little passes through it
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
        "envFrom": [{"secretRef": {"name": secret}} for secret in settings.secrets],
        "lifecycle": {"preStop": {"exec": {"command": _pre_stop(settings.grace_seconds)}}},
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",  # as the autoscaler wants it: a lost pod is replaced
        "terminationGracePeriodSeconds": settings.grace_seconds,
        "containers": [container],
    }
    if settings.service_account:
        pod["serviceAccountName"] = settings.service_account
    return pod


def _pre_stop(grace_seconds: int) -> list[str]:
    """Before SIGTERM, which ends Ray at once: time for packs to be saved and the run to stop."""
    return ["/bin/sh", "-c", f"touch {_LEAVING} && sleep {grace_seconds - 5}"]


def check(settings: KubeRay, job: Job) -> None:
    """Looks for what a submission needs.

    Raises:
        SubmitError: If the manifests cannot be made, there is no kubectl, or no right to submit.
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
    text = yaml.safe_dump_all(objects, sort_keys=False)
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    if run.returncode:
        raise SubmitError(f"kubectl refuses: {run.stderr.strip()}")
    return run.stdout
