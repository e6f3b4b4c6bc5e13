"""What stands in `deploy/` and in the image's recipe agrees with the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from bot.config.variables import SECRET_VARIABLES, VARIABLES

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
    assert instructions("USER") == ["keyturn"]
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
