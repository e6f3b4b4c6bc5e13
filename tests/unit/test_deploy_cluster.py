"""What `deploy/kubernetes` renders to: valid objects, each process with no more than it needs."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.config.load import load
from bot.config.variables import SECRET_VARIABLES, VARIABLES
from bot.web import DRAIN_S, READY_WITHIN_S
from tests.programs import run

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("dev", "prod")
OLDEST, NEWEST = "1.30", "1.35"
WORKERS_STOP_S = 20  # `bot.jobs.Workers.stop`
Thing = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Thing, ...]:
    """The objects of *overlay*, as kustomize makes them."""
    done = run("kubectl", "kustomize", CLUSTER / overlay)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Thing]:
    return {t["metadata"]["name"]: t for t in rendered(overlay) if t["kind"] == kind}


def pods(overlay: str) -> dict[str, Thing]:
    return {n: d["spec"]["template"]["spec"] for n, d in of_kind(overlay, "Deployment").items()}


def containers(pod: Thing) -> list[Thing]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def variables(container: Thing) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_of_the_form_that_kubernetes_wants(overlay: str, version: str) -> None:
    for thing in rendered(overlay):
        kubernetes_validate.validate(thing, version, strict=True)


def test_a_slip_would_be_seen() -> None:
    pod = {**pods("prod")["keyturn-worker"], "serviceAcountName": "keyturn"}
    thing = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(thing, NEWEST, strict=True)


def test_on_sqlite_there_is_one_process_and_the_old_one_goes_first() -> None:
    ((name, deployment),) = of_kind("dev", "Deployment").items()
    (pod,) = pods("dev").values()
    (container,) = containers(pod)

    assert deployment["spec"]["replicas"] == 1, name
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert container["args"] == ["serve", "--role", "all"]
    database = variables(container)["DATABASE_URL"].removeprefix("sqlite:///")
    (mounted,) = [m for m in container["volumeMounts"] if m["name"] == "database"]
    assert Path(database).parent == Path(mounted["mountPath"])
    (claim,) = [v for v in pod["volumes"] if v["name"] == "database"]
    assert set(of_kind("dev", "PersistentVolumeClaim")) == {
        claim["persistentVolumeClaim"]["claimName"]
    }


def test_in_production_both_roles_are_there_twice_and_migrated_first() -> None:
    roles = {}
    for name, deployment in of_kind("prod", "Deployment").items():
        first, *others = containers(pods("prod")[name])
        assert first["args"] == ["migrate"]
        assert first["image"] == others[0]["image"]
        assert variables(first).items() <= variables(others[0]).items()
        roles[others[0]["args"][-1]] = deployment["spec"]["replicas"]

    assert roles == {"web": 2, "worker": 2}


def test_a_drained_node_leaves_a_replica_of_each() -> None:
    budgets = of_kind("prod", "PodDisruptionBudget")
    deployments = of_kind("prod", "Deployment")

    assert set(budgets) == set(deployments)
    for name, budget in budgets.items():
        asked = budget["spec"]["selector"]["matchLabels"]
        assert asked.items() <= deployments[name]["spec"]["template"]["metadata"]["labels"].items()
        assert budget["spec"]["minAvailable"] < deployments[name]["spec"]["replicas"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_process_is_root_or_can_become_it_or_write_to_its_image(overlay: str) -> None:
    for pod in pods(overlay).values():
        assert pod["securityContext"]["runAsNonRoot"]
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_probes_ask_the_doors_that_there_are(overlay: str) -> None:
    for pod in pods(overlay).values():
        container = containers(pod)[-1]
        asked = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"]
            for kind in ("startup", "liveness", "readiness")
        }
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
        assert variables(container)["PORT"] == str(ports["http"])
        assert variables(container)["KEYTURN_ADMIN_PORT"] == str(ports["metrics"])
        assert container["readinessProbe"]["timeoutSeconds"] > READY_WITHIN_S
        before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] >= before + DRAIN_S + WORKERS_STOP_S


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_named_and_never_there(overlay: str) -> None:
    known = {*VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES)}
    assert not of_kind(overlay, "Secret")
    for pod in pods(overlay).values():
        for container in containers(pod):
            given = variables(container)
            assert set(given) <= known
            secret = {name: value for name, value in given.items() if name.endswith("_FILE")}
            assert {str(Path(value).parent) for value in secret.values()} == {"/run/secrets"}
            assert not {n for n in given if n in SECRET_VARIABLES} - {"DATABASE_URL"}
        (volume,) = [v for v in pod["volumes"] if v["name"] == "secrets"]
        assert volume["secret"]["secretName"] == "keyturn-secrets"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_service_and_the_network_policy_are_about_the_pods_that_there_are(overlay: str) -> None:
    (service,) = of_kind(overlay, "Service").values()
    (network,) = of_kind(overlay, "NetworkPolicy").values()
    labels = [
        d["spec"]["template"]["metadata"]["labels"] for d in of_kind(overlay, "Deployment").values()
    ]
    at_the_door = [one for one in labels if service["spec"]["selector"].items() <= one.items()]

    assert len(at_the_door) == 1
    assert all(network["spec"]["podSelector"]["matchLabels"].items() <= n.items() for n in labels)
    assert set(network["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    out = {one["port"] for rule in network["spec"]["egress"] for one in rule["ports"]}
    assert {53, 443, 5432, 9090, 9092, 9093, 4318} <= out
    open_to_all = [rule["ports"] for rule in network["spec"]["ingress"] if "from" not in rule]
    assert open_to_all == [[{"protocol": "TCP", "port": "http"}]]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_that_are_mounted_are_settings(overlay: str, tmp_path: Path) -> None:
    (settings,) = of_kind(overlay, "ConfigMap").values()
    secret = tmp_path / "dify-prod"
    secret.write_text("a password")
    secret.chmod(0o600)
    text = settings["data"]["keyturn.toml"].replace("/run/secrets/dify-prod", str(secret))
    file = tmp_path / "keyturn.toml"
    file.write_text(text)
    mounted = [
        volume["configMap"]["name"]
        for pod in pods(overlay).values()
        for volume in pod["volumes"]
        if "configMap" in volume
    ]

    assert load({}, file).places
    assert tomllib.loads(text)
    assert set(mounted) == {settings["metadata"]["name"]}, "changed settings make new pods"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_of_an_overlay_is_in_its_own_namespace(overlay: str) -> None:
    found = {thing["metadata"]["namespace"] for thing in rendered(overlay)}

    assert len(found) == 1


def test_every_overlay_says_how_it_starts() -> None:
    for overlay in OVERLAYS:
        head = (CLUSTER / overlay / "kustomization.yaml").read_text().partition("apiVersion")[0]
        assert f"kubectl apply -k deploy/kubernetes/{overlay}" in head
        assert "keyturn-secrets" in head
