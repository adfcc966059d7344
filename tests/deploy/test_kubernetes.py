"""The manifests: what kustomize makes of them fits Kubernetes' schema and our own rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
import yaml

from earshot.runtime.role import ROLES
from earshot.settings import Telemetry, load
from tests.deploy.test_containers import DEMO_ROLES, assert_is_a_command
from tests.deploy.tools import DEPLOY

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ("1.32", "1.37")
"""The oldest and the newest Kubernetes that the manifests are held to."""

Manifest = dict[str, Any]


def merged(ours: Any, patch: Any) -> Any:
    """A strategic merge as kustomize does it: maps by key, lists of what has a name by name."""
    if isinstance(ours, Mapping) and isinstance(patch, Mapping):
        return {key: merged(ours.get(key), patch.get(key)) for key in {**ours, **patch}}
    if isinstance(ours, list) and isinstance(patch, list) and all("name" in one for one in patch):
        names = dict.fromkeys(one["name"] for one in (*ours, *patch))
        by_name = [{one["name"]: one for one in many} for many in (ours, patch)]
        return [merged(*(many.get(name) for many in by_name)) for name in names]
    return deepcopy(ours if patch is None else patch)


def documents(name: str) -> Iterator[Manifest]:
    yield from yaml.safe_load_all((FOLDER / name).read_text())


def built() -> dict[str, Manifest]:
    """Every resource of the kustomization, by kind and name, patched."""
    kustomization = next(documents("kustomization.yaml"))
    found: dict[str, Manifest] = {}
    for name in kustomization["resources"]:
        for resource in documents(name):
            for patch in kustomization["patches"]:
                if patch["target"]["kind"] == resource["kind"]:
                    (pod,) = documents(patch["path"])
                    resource["spec"] = merged(resource["spec"], pod["spec"])
            found[f"{resource['kind']}/{resource['metadata']['name']}"] = resource
    return found


BUILT = built()
JOB = next(documents("before/job.yaml"))
WORKLOADS = {
    name: resource
    for name, resource in BUILT.items()
    if resource["kind"] in ("Deployment", "StatefulSet")
}
PODS = WORKLOADS | {"Job/earshot-before": JOB}


def pod_of(name: str) -> Manifest:
    pod: Manifest = PODS[name]["spec"]["template"]["spec"]
    return pod


def container_of(name: str) -> Manifest:
    (container,) = pod_of(name)["containers"]
    return dict(container)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(BUILT | PODS))
def test_a_manifest_fits_the_schema(name: str, version: str) -> None:
    kubernetes_validate.validate((BUILT | PODS)[name], version, strict=True)


def test_a_misspelt_key_is_found() -> None:
    wrong = deepcopy(WORKLOADS["Deployment/earshot-serve"])
    wrong["spec"]["template"]["spec"]["terminationGrace"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_is_used() -> None:
    there = {path.name for path in FOLDER.glob("*.yaml")}
    kustomization = next(documents("kustomization.yaml"))
    patches = {patch["path"] for patch in kustomization["patches"]}
    assert there == {*kustomization["resources"], *patches, "kustomization.yaml"}


def test_every_role_runs_and_every_command_exists() -> None:
    commands = [container_of(name)["args"] for name in WORKLOADS]
    assert {command[0] for command in commands} == set(ROLES) - DEMO_ROLES
    patch = yaml.safe_load(next(documents("after/kustomization.yaml"))["patches"][0]["patch"])
    after = next(one["value"] for one in patch if one["path"].endswith("/args"))
    for command in (*commands, JOB["spec"]["template"]["spec"]["containers"][0]["args"], after):
        assert_is_a_command(command)


def test_every_variable_is_a_setting() -> None:
    load(None, BUILT["ConfigMap/earshot"]["data"])


@pytest.mark.parametrize("name", sorted(PODS))
def test_no_pod_is_root_or_writes_beside_its_volumes(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"] == "400Mi"
    claims = PODS[name]["spec"].get("volumeClaimTemplates", ())
    volumes = {one["name"] for one in pod["volumes"]} | {c["metadata"]["name"] for c in claims}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}  # noqa: S108 -- a place in the container


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_role_is_asked_and_scraped_on_its_port(name: str) -> None:
    container, template = container_of(name), WORKLOADS[name]["spec"]["template"]
    port = Telemetry().port + ROLES.index(container["args"][0])
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports["metrics"] == port
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    probes = {key: container[key]["httpGet"] for key in container if key.endswith("Probe")}
    paths = {key: probe["path"] for key, probe in probes.items()}
    ready = dict.fromkeys(("startupProbe", "readinessProbe"), "/readyz")
    assert paths == ready | {"livenessProbe": "/healthz"}
    assert {probe["port"] for probe in probes.values()} == {"metrics"}


@pytest.mark.parametrize("name", sorted(BUILT))
def test_what_selects_pods_selects_some(name: str) -> None:
    spec = BUILT[name].get("spec", {})
    selector = spec.get("podSelector") or spec.get("selector")
    if selector is None:
        return
    wanted = selector.get("matchLabels", selector)
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in WORKLOADS.values()]
    assert any(wanted.items() <= one.items() for one in labels)


def test_each_source_is_read_once_and_keeps_its_disk() -> None:
    collect = WORKLOADS["StatefulSet/earshot-collect"]["spec"]
    assert collect["replicas"] == 1
    assert [claim["metadata"]["name"] for claim in collect["volumeClaimTemplates"]] == ["home"]


def test_only_roles_that_talk_to_platforms_reach_the_internet() -> None:
    policies = {n: r["spec"] for n, r in BUILT.items() if r["kind"] == "NetworkPolicy"}
    outside = {
        name: spec
        for name, spec in policies.items()
        if any("ipBlock" in to for rule in spec.get("egress", ()) for to in rule.get("to", ()))
    }
    (spec,) = outside.values()
    (expression,) = spec["podSelector"]["matchExpressions"]
    assert expression["values"] == ["collect", "send"]
    shut = policies["NetworkPolicy/earshot"]
    assert set(shut["policyTypes"]) == {"Ingress", "Egress"}
