"""The systemd unit and the image's recipe: what their own checkers say, and what they promise."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from bot.config.variables import SECRET_VARIABLES, VARIABLES
from tests.programs import run

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "keyturn.service"
TEXT = UNIT.read_text(encoding="utf-8")
RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.+)$", TEXT, flags=re.MULTILINE)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Its program is another here, since Keyturn is not installed where the unit says."""
    unit = tmp_path / "keyturn.service"
    unit.write_text(TEXT.replace("/opt/keyturn/bin/keyturn", sys.executable), encoding="utf-8")

    done = run("systemd-analyze", "verify", "--man=no", unit)

    assert "keyturn.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_unit_leaves_little_open() -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=15", UNIT)

    assert done.returncode == 0, done.stdout[-500:]


def test_the_unit_hands_over_secrets_as_files_and_sets_what_there_is() -> None:
    known = {*VARIABLES, *(f"{name}_FILE" for name in SECRET_VARIABLES)}
    settings = dict(
        pair.split("=", 1) for line in values("Environment") for pair in line.split(" ")
    )
    ours = {
        n: v for n, v in settings.items() if n not in {"MPLCONFIGDIR", "PYTHONDONTWRITEBYTECODE"}
    }
    handed_over = {line.partition(":")[0] for line in values("LoadCredential")}

    assert set(ours) <= known
    named = {value.removeprefix("%d/") for name, value in ours.items() if name.endswith("_FILE")}
    assert named <= handed_over
    assert "KEYTURN_METRICS_TOKEN_FILE" in ours, "else /metrics is 401"
    assert "/var/lib/keyturn/" in ours["DATABASE_URL"]
    assert values("StateDirectory") == ["keyturn"]
    assert values("DynamicUser") == ["yes"]


def test_the_unit_lets_the_work_at_hand_finish_and_rereads_settings_when_told() -> None:
    assert int(values("TimeoutStopSec")[0]) >= 35
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert "systemctl enable --now keyturn" in TEXT.partition("[Unit]")[0]


def test_hadolint_has_nothing_to_say_of_the_image() -> None:
    done = run("hadolint", ROOT / "Dockerfile")

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_names_no_machine_so_that_it_is_built_for_each() -> None:
    assert "--platform=" not in RECIPE
    assert not re.search(r"amd64|x86_64|arm64|aarch64", RECIPE.partition("FROM")[2])
    assert "--platform linux/amd64,linux/arm64" in RECIPE


def test_the_image_has_the_tool_that_made_the_lock_and_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    syncs = [line for line in RECIPE.splitlines() if "RUN uv sync" in line]

    assert re.search(r"uv==\d+\.\d+\.\d+", RECIPE)
    for extra in project["optional-dependencies"]:
        assert all(f"--extra {extra} " in line for line in syncs)


def test_the_image_writes_to_its_volume_and_to_tmp_alone() -> None:
    assert "VOLUME /var/lib/keyturn" in RECIPE
    assert "MPLCONFIGDIR=/tmp/" in RECIPE
    assert "--read-only --tmpfs /tmp" in RECIPE.partition("FROM")[0]
