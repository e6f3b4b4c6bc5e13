"""What stands in `deploy/` and in the image's recipe agrees with the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from bot.config.variables import SECRET_VARIABLES, VARIABLES
from tests.programs import run

ROOT = Path(__file__).resolve().parents[2]
RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(
    (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
)


def instructions(name: str) -> list[str]:
    joined = RECIPE.replace("\\\n", " ")
    return re.findall(rf"^{name} (.+)$", joined, flags=re.MULTILINE)


def test_everything_that_the_image_copies_is_there_and_reaches_the_builder() -> None:
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = [shlex.split(line)[:-1] for line in instructions("COPY") if "--from" not in line]

    for source in (Path(one) for sources in copied for one in sources):
        assert (ROOT / source).exists(), source
        assert source.parts[0] in let_in


def test_the_image_is_built_from_the_lock_without_tools_and_runs_as_nobody_special() -> None:
    syncs = [line for line in instructions("RUN") if "uv sync" in line]

    assert syncs
    assert all({"--locked", "--no-dev"} <= set(shlex.split(line)) for line in syncs)
    assert "UV_COMPILE_BYTECODE=1" in instructions("ENV")[0]
    assert instructions("USER") == ["10001:10001"]
    assert instructions("ENTRYPOINT") == ['["keyturn"]']


def test_every_variable_of_the_compose_file_is_a_setting() -> None:
    known = {*VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES)}

    assert set(COMPOSE["x-keyturn"]["environment"]) <= known


def test_every_secret_that_a_container_names_is_declared_and_is_a_file_beside_it() -> None:
    declared = COMPOSE["secrets"]
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", [])) <= set(declared)
    for name, secret in declared.items():
        assert secret == {"file": f"./secrets/{name}"}


def test_the_secret_files_that_settings_name_are_given_to_the_container() -> None:
    service = COMPOSE["x-keyturn"]
    named = [value for key, value in service["environment"].items() if key.endswith("_FILE")]

    assert {Path(value).name for value in named} <= set(service["secrets"])
    assert {str(Path(value).parent) for value in named} == {"/run/secrets"}


def test_the_database_is_migrated_before_anything_serves() -> None:
    services = COMPOSE["services"]
    after = {"migrate": {"condition": "service_completed_successfully"}}

    assert services["web"]["depends_on"] == services["worker"]["depends_on"] == after
    assert services["migrate"]["command"] == ["migrate"]


OURS = ("migrate", "web", "worker")


def test_the_compose_file_says_how_it_starts() -> None:
    head = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8").partition("name:")[0]

    assert "docker compose up -d" in head
    assert all(name in head for name in COMPOSE["secrets"])


def test_what_a_service_waits_for_is_there_and_can_become_what_it_waits_for() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                checked = "test" in services[other].get("healthcheck", {})
                assert checked or ("HEALTHCHECK" in RECIPE and other in OURS), (name, other)
            else:
                assert services[other]["restart"] == "no", (name, other)


def test_every_file_and_volume_that_is_mounted_is_there() -> None:
    """But for the settings, which are the reader's own."""
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", ()):
            source, target, *how = mount.split(":")
            if source == "./keyturn.toml":
                continue
            if source.startswith("./"):
                assert (ROOT / "deploy" / source).is_file(), source
                assert how == ["ro"], target
            else:
                assert source in COMPOSE["volumes"]


def test_only_the_door_is_open_to_other_machines() -> None:
    published = {
        name: port
        for name, service in COMPOSE["services"].items()
        for port in service.get("ports", ())
        if not port.startswith("127.0.0.1:")
    }

    assert published == {"web": "3000:3000"}


def test_no_container_gains_rights_and_ours_write_nothing_to_their_image() -> None:
    for name, service in COMPOSE["services"].items():
        if name != "postgres":  # it starts as root to give its folder away
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        if name in OURS:
            assert service["read_only"], name
            assert service["tmpfs"] == ["/tmp"], name


def test_the_watchers_reach_us_where_we_listen() -> None:
    metrics = COMPOSE["x-keyturn"]["environment"]["KEYTURN_ADMIN_PORT"]
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    told = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    (job,) = scraped["scrape_configs"]
    (webhook,) = next(r["webhook_configs"] for r in told["receivers"] if r["name"] == "keyturn")

    assert job["static_configs"] == [{"targets": [f"web:{metrics}", f"worker:{metrics}"]}]
    assert webhook["url"] == "http://web:3000/webhooks/alertmanager"
    named = Path(webhook["http_config"]["authorization"]["credentials_file"])
    assert named.name in COMPOSE["services"]["alertmanager"]["secrets"]


def test_their_own_checkers_take_the_watchers_settings() -> None:
    measured = run(
        "promtool", "check", "config", "--syntax-only", ROOT / "deploy/prometheus/prometheus.yml"
    )
    alerted = run("amtool", "check-config", ROOT / "deploy/alertmanager/alertmanager.yml")

    assert measured.returncode == 0, measured.stderr
    assert alerted.returncode == 0, alerted.stderr
