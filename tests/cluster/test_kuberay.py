"""The manifests for Kubernetes: against KubeRay's schema, and for what a schema cannot say."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from teasel.__main__ import main
from teasel.cluster import example, kuberay

RESULTS = "s3://bucket/the study's $results"


@pytest.fixture
def submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `teasel submit kuberay` with the packaged example and some changes to it."""
    monkeypatch.chdir(tmp_path)

    def submitted(*options: str, results: str = RESULTS, **changes: Any) -> int:
        settings = yaml.safe_load(example("kuberay")) | changes
        Path("cluster.yaml").write_text(yaml.safe_dump(settings))
        command = ["submit", "kuberay", *(options or ("quickstart",)), "--cluster", "cluster.yaml"]
        return main([*command, "--results", results])

    return submitted


@pytest.fixture
def rendered(
    submit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    """The objects of the manifest, as Kubernetes would read them."""

    def objects(*options: str, **changes: Any) -> list[dict[str, Any]]:
        assert submit(*(options or ("quickstart",)), "--print", **changes) == 0
        return list(yaml.safe_load_all(capsys.readouterr().out))

    return objects


@pytest.fixture(scope="session")
def rayjob_schema() -> dict[str, Any]:
    """The schema of a RayJob, as KubeRay publishes it (ray.io_rayjobs.yaml)."""
    given = os.environ.get("TEASEL_KUBERAY_CRD")
    if not given:
        pytest.skip("no schema of KubeRay's: set TEASEL_KUBERAY_CRD to its ray.io_rayjobs.yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a megabyte of YAML
    versions = yaml.load(Path(given).read_text(), loader)["spec"]["versions"]
    (schema,) = (v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == "v1")
    return _closed(schema)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, but that a key it doesn't know is an error: the server would drop it."""
    if "properties" in schema:
        schema = {"additionalProperties": False} | schema
        schema["properties"] = {
            name: entry if name == "metadata" else _closed(entry)
            for name, entry in schema["properties"].items()
        }
    if isinstance(schema.get("items"), dict):
        schema = schema | {"items": _closed(schema["items"])}
    return schema


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gpus_per_worker": 0, "tpus_per_worker": 1, "node_selector": {"kind": "tpu"}},
        {"spot": False, "secrets": ["object-storage"], "service_account": "teasel"},
    ],
)
def test_the_manifest_follows_kuberays_schema(
    changes: dict[str, Any],
    rendered: Callable[..., list[dict[str, Any]]],
    rayjob_schema: dict[str, Any],
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    _, job = rendered(**changes)
    validator = jsonschema.Draft202012Validator(rayjob_schema)
    assert not list(validator.iter_errors(job))
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 1
    assert ["maxReplica" in error.message for error in validator.iter_errors(job)] == [True]


def test_the_printed_manifest_is_short_and_says_what_its_parts_are_for(
    submit: Callable[..., int], grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = grid_file.read_text().replace("noise.npz", str(grid_file.with_name("noise.npz")))
    grid_file.write_text(text)
    assert submit(str(grid_file), "--print", secrets=["keys"], node_selector={"a": "b"}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"    {text.splitlines()[0]}" in lines  # the grid as it was written
    assert not [line for line in lines if "\\n" in line]
    comments = [n for n, line in enumerate(lines) if line.lstrip().startswith("# ")]
    keys = [lines[n + 1].split(":")[0].strip() for n in comments]
    assert [key for key in keys if key in kuberay._COMMENTS] == list(kuberay._COMMENTS)
    assert len(lines) < 140


def test_the_head_computes_nothing_and_never_sits_on_a_spot_machine(
    rendered: Callable[..., list[dict[str, Any]]],
) -> None:
    _, job = rendered()
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    (container,) = head["template"]["spec"]["containers"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    required = head["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    avoided = {(e["key"], e["operator"], *e["values"]) for e in term["matchExpressions"]}
    assert ("cloud.google.com/gke-spot", "NotIn", "true") in avoided
    (workers,) = cluster["workerGroupSpecs"]
    tolerated = {toleration["key"] for toleration in workers["template"]["spec"]["tolerations"]}
    assert tolerated == {"nvidia.com/gpu"} | {key for key, *_ in avoided}
    assert (workers["minReplicas"], workers["replicas"], workers["maxReplicas"]) == (1, 1, 16)


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "google.com/tpu"])
def test_a_worker_has_the_accelerators_it_asks_for_and_time_to_save_itself(
    resource: str, rendered: Callable[..., list[dict[str, Any]]]
) -> None:
    gpus, tpus = (4, 0) if resource == "nvidia.com/gpu" else (0, 4)
    own = {"TEASEL_LEAVING": "nowhere"}
    _, job = rendered(gpus_per_worker=gpus, tpus_per_worker=tpus, grace_seconds=40, environment=own)
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    pod = workers["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"][resource] == "4"
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert pod["terminationGracePeriodSeconds"] == 40
    (leaving,) = [entry["value"] for entry in container["env"] if entry["name"] == "TEASEL_LEAVING"]
    assert (
        container["lifecycle"]["preStop"]["exec"]["command"][-1] == f"touch {leaving} && sleep 35"
    )
    assert pod["restartPolicy"] == "Never"


def test_the_entrypoint_is_a_run_of_the_grids_that_the_head_mounts(
    rendered: Callable[..., list[dict[str, Any]]], grid_file: Path
) -> None:
    grid_file.write_text(
        grid_file.read_text().replace("noise.npz", str(grid_file.with_name("noise.npz")))
    )
    config, job = rendered(str(grid_file), "--select", "seed<1")
    assert job["spec"]["entrypoint"] == "sh /etc/teasel/run.sh"
    assert (
        "\nteasel run /etc/teasel/tiny.yaml"
        """ --results 's3://bucket/the study'"'"'s $results' --select 'seed<1' --grace 60\n"""
    ) in config["data"]["run.sh"]
    assert config["data"]["grid-0"] == grid_file.read_text()
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (volume,) = head["volumes"]
    (mount,) = head["containers"][0]["volumeMounts"]
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    assert {"key": "grid-0", "path": "tiny.yaml"} in volume["configMap"]["items"]
    assert mount == {"name": volume["name"], "mountPath": "/etc/teasel"}


def test_a_grid_may_have_any_name(
    rendered: Callable[..., list[dict[str, Any]]], grid_file: Path
) -> None:
    text = grid_file.read_text().replace("noise.npz", str(grid_file.with_name("noise.npz")))
    file = grid_file.with_name("a grid (2).yaml")
    file.write_text(text)
    config, _ = rendered(str(file))
    assert all(re.fullmatch(r"[-._a-zA-Z0-9]+", key) for key in config["data"])
    assert "run '/etc/teasel/a grid (2).yaml' --results" in config["data"]["run.sh"]


@pytest.mark.parametrize(
    ("code", "ends", "said"),
    [
        (0, 0, ""),
        (1, 0, "teasel: some trials failed; a new cluster would not help, so the job ends\n"),
        (2, 0, "teasel: the run was refused; a new cluster would not help, so the job ends\n"),
        (3, 3, ""),
        (137, 137, ""),
    ],
)
def test_only_what_a_new_cluster_can_mend_is_begun_again(
    code: int, ends: int, said: str, rendered: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    config, _ = rendered()
    _program(tmp_path, "teasel", f"exit {code}")
    path = f"{tmp_path}:/bin:/usr/bin"
    command = ["sh", "-c", config["data"]["run.sh"]]
    run = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (ends, said)


def test_a_lost_head_is_tried_again_and_a_token_is_the_operators_own(
    rendered: Callable[..., list[dict[str, Any]]],
) -> None:
    _, job = rendered(secrets=["object-storage"])
    assert job["spec"]["backoffLimit"] == 20
    assert job["spec"]["submissionMode"] == "K8sJobMode"
    assert job["spec"]["shutdownAfterJobFinishes"] is True
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    for pod in (cluster["headGroupSpec"], cluster["workerGroupSpecs"][0]):
        (container,) = pod["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "object-storage"}}]


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ((), {"results": "/mnt/results"}, "expected results at a URI that every pod reaches"),
        ((), {"results": "file:///mnt"}, "expected results at a URI that every pod reaches"),
        ((), {"results": "s3://key:secret@bucket"}, "expected no key or password in the URI"),
        ((), {"results": "s3://key:sec/ret@bucket"}, "expected no key or password in the URI"),
        (
            (),
            {"environment": {"MONKEY_PATCH": "1", "AWS_SECRET_ACCESS_KEY": "secret@"}},
            "environment: others could read this secret (AWS_SECRET_ACCESS_KEY): put it into a Kub",
        ),
        ((), {"tpus_per_worker": 1}, "a worker has GPUs or TPUs, not both"),
        ((), {"worker": 3}, "cluster.yaml:6:1: unknown key 'worker' (did you mean 'workers'?)"),
        (("tiny.yaml",), {}, "tiny.yaml: npz: noise.npz: expected an absolute path"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_submitted(
    options: tuple[str, ...],
    changes: dict[str, Any],
    message: str,
    submit: Callable[..., int],
    grid_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert submit(*options, **changes) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "secret@" not in printed


def _program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_without_kubectl_or_rights_nothing_is_submitted(
    submit: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert submit() == 2
    assert "no kubectl on the path" in capsys.readouterr().err
    _program(tmp_path, "kubectl", 'echo "$@" >> calls; echo no; exit 1')
    assert submit(namespace="theirs") == 2
    message = "you may not create rayjobs.ray.io in the namespace 'theirs': no"
    assert message in capsys.readouterr().err
    assert (tmp_path / "calls").read_text() == "auth can-i create rayjobs.ray.io -n theirs\n"


def test_a_dry_run_asks_the_server_and_a_submission_says_how_to_follow_it(
    submit: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    script = 'if [ "$1" = auth ]; then echo yes; else echo "$@"; cat > given.yaml; fi'
    _program(tmp_path, "kubectl", script)
    assert submit("quickstart", "--dry-run") == 0
    assert "create --dry-run=server -n default -f -" in capsys.readouterr().out
    assert submit() == 0
    output = capsys.readouterr().out
    assert output.startswith("create -n default -f -\n")
    first, job = yaml.safe_load_all((tmp_path / "given.yaml").read_text())
    name = job["metadata"]["name"]
    assert re.fullmatch("teasel-quickstart-[0-9a-f]{6}", name)
    assert first["metadata"] == job["metadata"] == {"name": name, "namespace": "default"}
    assert f"kubectl get rayjob {name} -n default" in output
    assert submit() == 0
    again, _ = yaml.safe_load_all((tmp_path / "given.yaml").read_text())
    assert again["metadata"] != first["metadata"]
