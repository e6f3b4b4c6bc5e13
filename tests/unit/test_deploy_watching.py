"""The alerts and the dashboard about Keyturn itself: each fires on its trouble, on nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.adapters.alertmanager import grafana
from bot.adapters.alertmanager.routes import PATH as ALERTMANAGER
from bot.adapters.metrics import exposition
from bot.adapters.metrics.meter import Meter
from bot.adapters.webhooks.routes import path_of as mapped
from store.arrivals import ARRIVALS, SET_ASIDE
from store.figures import INBOX
from store.records import GOES_TO
from tests.adapters.metrics.test_routes import reading, told

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "keyturn-alerts.yml"
BURN_RATE = RULES.with_name("slo-burn-rate.yml")
BOARD = ROOT / "deploy" / "grafana" / "keyturn.json"
RUNBOOK = ROOT / "docs" / "runbook.md"
MINUTES = 180
NOW = f"{MINUTES}m"
_NAME = re.compile(r"\b(?:keyturn|process)_[a-z0-9_]+")


@dataclass(frozen=True)
class Case:
    """A trouble: what some series are instead of what they are on a good day."""

    alert: str
    series: str
    values: str


STEADY = f"x{MINUTES}"
GOOD = {
    'up{job="keyturn", instance="a"}': f"1{STEADY}",
    'keyturn_database_up{job="keyturn", instance="a"}': f"1{STEADY}",
    'keyturn_queue_oldest_seconds{queue="people"}': f"3{STEADY}",
    'keyturn_queue_oldest_seconds{queue="alertmanager"}': f"2{STEADY}",
    'keyturn_queue_oldest_seconds{queue="anchors"}': f"1{STEADY}",
    'keyturn_queue_oldest_seconds{queue="core"}': f"1{STEADY}",
    'keyturn_queue_oldest_seconds{queue="inbox"}': f"0{STEADY}",
    'keyturn_queue_oldest_seconds{queue="arrivals"}': f"2{STEADY}",
    'keyturn_queue_waiting{queue="set_aside"}': f"0{STEADY}",
    'keyturn_events_lag_seconds{sink="lake"}': f"5{STEADY}",
    'keyturn_job_finished_timestamp_seconds{task="snapshot"}': f"0+60{STEADY}",
    "keyturn_paused": f"0{STEADY}",
    'keyturn_rollbacks_in_state{env="prod", state="NEEDS_ATTENTION"}': f"2{STEADY}",
    'keyturn_recoveries{env="prod", outcome="not_recovered"}': f"1{STEADY}",
    'keyturn_glass_broken_total{env="prod"}': f"1{STEADY}",
    'keyturn_http_request_seconds_count{door="/webhooks/alertmanager", status="202"}': (
        f"0+5{STEADY}"
    ),
}
ONE_MORE = f"2x{MINUTES - 20} 3x20"
CASES = [
    Case("KeyturnDown", 'up{job="keyturn", instance="a"}', f"0{STEADY}"),
    Case("KeyturnReplicaDown", 'up{job="keyturn", instance="b"}', f"0{STEADY}"),
    Case(
        "KeyturnDatabaseLost",
        'keyturn_database_up{job="keyturn", instance="a"}',
        f"0{STEADY}",
    ),
    Case("KeyturnWorkerDead", 'keyturn_trouble{kind="down", part="worker:decide"}', f"1{STEADY}"),
    Case(
        "KeyturnNeedsAttention",
        'keyturn_rollbacks_in_state{env="prod", state="NEEDS_ATTENTION"}',
        ONE_MORE,
    ),
    Case(
        "KeyturnNeedsAttention",  # the first there ever was
        'keyturn_rollbacks_in_state{env="test", state="NEEDS_ATTENTION"}',
        f"_x{MINUTES - 20} 1x20",
    ),
    Case("KeyturnMessagesStuck", 'keyturn_queue_oldest_seconds{queue="people"}', f"0+60{STEADY}"),
    Case(
        "KeyturnAlertmanagerStuck",
        'keyturn_queue_oldest_seconds{queue="alertmanager"}',
        f"0+60{STEADY}",
    ),
    Case("KeyturnAnchorsStuck", 'keyturn_queue_oldest_seconds{queue="anchors"}', f"0+60{STEADY}"),
    Case("KeyturnEventsStuck", 'keyturn_events_lag_seconds{sink="lake"}', f"0+60{STEADY}"),
    Case("KeyturnClicksStuck", 'keyturn_queue_oldest_seconds{queue="inbox"}', f"0+60{STEADY}"),
    Case(
        "KeyturnAlertsNotFiled", 'keyturn_queue_oldest_seconds{queue="arrivals"}', f"0+60{STEADY}"
    ),
    Case("KeyturnWebhooksSetAside", 'keyturn_queue_waiting{queue="set_aside"}', f"1{STEADY}"),
    Case(
        "KeyturnSnapshotsStopped",
        'keyturn_job_finished_timestamp_seconds{task="snapshot"}',
        f"600{STEADY}",
    ),
    Case("KeyturnSlackTrouble", 'keyturn_trouble{kind="degraded", part="slack"}', f"1{STEADY}"),
    Case(
        "KeyturnSlackTrouble", 'keyturn_trouble{kind="degraded", part="slack_socket"}', f"1{STEADY}"
    ),
    Case("KeyturnDifyTrouble", 'keyturn_trouble{kind="degraded", part="dify.prod"}', f"1{STEADY}"),
    Case(
        "KeyturnSettingsRefused",
        'keyturn_trouble{kind="degraded", part="settings"}',
        f"1{STEADY}",
    ),
    Case("KeyturnPaused", "keyturn_paused", f"1{STEADY}"),
    Case(
        "KeyturnAlertsRefused",
        'keyturn_http_request_seconds_count{door="/webhooks/alertmanager", status="401"}',
        f"0+1{STEADY}",
    ),
    *(
        Case(
            "KeyturnAlertsRefused",
            f'keyturn_http_request_seconds_count{{door="{door}", status="{status}"}}',
            f"0+1{STEADY}",
        )
        for door in ("/webhooks/grafana", "/webhooks/{name}")
        for status in (400, 401, 503)
    ),
    Case(
        "KeyturnAlertsRefused",  # as Alertmanager tries it: once a group_interval; never before
        'keyturn_http_request_seconds_count{door="/webhooks/alertmanager", status="401"}',
        f"_x{MINUTES - 20} 1x4 2x4 3x4 4x8",
    ),
    Case(
        "KeyturnAlertsRefused",
        'keyturn_http_request_seconds_count{door="/webhooks/alertmanager", status="401"}',
        f"1x{MINUTES - 20} 2x4 3x4 4x12",
    ),
    Case("KeyturnGlassBroken", 'keyturn_glass_broken_total{env="prod"}', ONE_MORE),
    Case(
        "KeyturnGlassBroken",  # the first there ever was
        'keyturn_glass_broken_total{env="test"}',
        f"_x{MINUTES - 20} 1x20",
    ),
    Case(
        "KeyturnNotRecovered", 'keyturn_recoveries{env="prod", outcome="not_recovered"}', ONE_MORE
    ),
]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no program called promtool is installed")
    return found


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def firing(promtool: str, folder: Path, series: dict[str, str], rule_file: Path) -> set[str]:
    """Which alerts of *rule_file* fire in the end, as promtool plays *series*.

    None is expected, so it names each that it got.
    """
    names = {rule["alert"] for rule in _all_rules(rule_file) if "alert" in rule}
    silent = {
        "rule_files": [str(rule_file)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "alert_rule_test": [
                    {"eval_time": NOW, "alertname": name, "exp_alerts": []}
                    for name in sorted(names)
                ],
            }
        ],
    }
    file = folder / "silent.yml"
    file.write_text(yaml.safe_dump(silent), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    fired = set(re.findall(r"alertname: ?(\w+), time:", said))
    assert fired <= names, said
    assert bool(fired) == (done.returncode != 0), said
    return fired


def _all_rules(file: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


@pytest.mark.parametrize("file", [RULES, BURN_RATE], ids=lambda file: file.stem)
def test_promtool_takes_the_rules(promtool: str, file: Path) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_on_a_good_day_nothing_fires(promtool: str, tmp_path: Path) -> None:
    assert firing(promtool, tmp_path, GOOD, RULES) == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}: {case.series}")
def test_each_trouble_fires_its_alert(promtool: str, tmp_path: Path, case: Case) -> None:
    assert case.alert in firing(promtool, tmp_path, {**GOOD, case.series: case.values}, RULES)


@pytest.mark.parametrize(
    ("queue", "alert"),
    [
        ("people", "KeyturnMessagesStuck"),
        ("alertmanager", "KeyturnAlertmanagerStuck"),
        ("anchors", "KeyturnAnchorsStuck"),
    ],
)
def test_what_waits_for_one_system_is_not_said_of_another(
    promtool: str, tmp_path: Path, queue: str, alert: str
) -> None:
    stuck = {f'keyturn_queue_oldest_seconds{{queue="{queue}"}}': f"0+60{STEADY}"}

    assert firing(promtool, tmp_path, {**GOOD, **stuck}, RULES) == {alert}


def test_the_queues_that_alerts_name_are_those_that_are_told() -> None:
    named = {n for rule in rules() for n in re.findall(r'queue="(\w+)"', rule["expr"])}

    assert named <= {INBOX, ARRIVALS, SET_ASIDE, *GOES_TO.values()}


def test_one_probe_of_a_stranger_wakes_nobody(promtool: str, tmp_path: Path) -> None:
    door = 'keyturn_http_request_seconds_count{door="/webhooks/alertmanager", status="401"}'

    for once in (f"_x{MINUTES - 20} 1x20", f"1x{MINUTES - 20} 2x20"):
        assert firing(promtool, tmp_path, {**GOOD, door: once}, RULES) == set()


def test_the_doors_of_webhooks_are_all_watched() -> None:
    (rule,) = (one for one in rules() if one["alert"] == "KeyturnAlertsRefused")
    (watched,) = set(re.findall(r'door=~"([^"]+)"', rule["expr"]))

    for door in (ALERTMANAGER, grafana.PATH, mapped("{name}")):
        assert re.fullmatch(watched, door), door


@pytest.mark.parametrize(
    "file", ["deploy/alertmanager/alertmanager.yml", "deploy/alertmanager-receiver.yml"]
)
def test_no_alert_of_a_group_is_cut_off(file: str) -> None:
    """One that is cut off when it is over would stay firing (0045)."""
    told = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))
    (keyturn,) = (one for one in told["receivers"] if one["name"] == "keyturn")

    assert [hook["max_alerts"] for hook in keyturn["webhook_configs"]] == [0]


def test_each_alert_has_its_trouble_above_and_its_heading_in_the_runbook() -> None:
    named = {rule["alert"] for rule in rules()}
    headings = set(re.findall(r"^## (\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE))

    assert {case.alert for case in CASES} == named
    assert headings == named
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_a_burnt_budget_fires_and_a_little_error_does_not(promtool: str, tmp_path: Path) -> None:
    def answers(errors: int) -> dict[str, str]:
        of = 'http_requests_total{app="triage", env="prod", code='
        return {f'{of}"500"}}': f"0+{errors}{STEADY}", f'{of}"200"}}': f"0+{1000 - errors}{STEADY}"}

    assert "ErrorBudgetBurnsFast" in firing(promtool, tmp_path, answers(200), BURN_RATE)
    assert firing(promtool, tmp_path, answers(5), BURN_RATE) == set()


# -- What they name is what we tell ---------------------------------------------------------------


def told_names() -> set[str]:
    """Every name on our page, in a process that has seen everything once."""
    meter = Meter(version="1", role="all")
    page = exposition.text(
        meter.registry, [("down", "database")], reading(told(broke_glass=True))
    ).decode()
    families = list(text_string_to_metric_families(page))
    names = {sample.name for family in families for sample in family.samples}
    suffixes = ("_bucket", "_count", "_sum", "_total", "")
    return names | {f"{family.name}{end}" for family in families for end in suffixes}


def queries() -> Iterator[str]:
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (note["expr"] for note in board["annotations"]["list"])


def test_alerts_and_dashboard_name_only_what_is_told() -> None:
    asked = {n for r in rules() for n in _NAME.findall(r["expr"])}
    asked |= {name for query in queries() for name in _NAME.findall(query)}

    assert asked - told_names() == set()


def test_everything_that_is_told_of_us_is_on_the_dashboard_or_alerted_about() -> None:
    shown = " ".join([*queries(), *(rule["expr"] for rule in rules())])
    ours = {n for n in told_names() if n.startswith("keyturn_")}
    families = {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in ours}

    unused = {name for name in families if name not in shown}

    assert unused <= {"keyturn_build_info", "keyturn_audit_head", "keyturn_votes"}


def test_the_dashboards_queries_are_promql(promtool: str, tmp_path: Path) -> None:
    """As rules they are parsed; Grafana's own words get a value first."""
    fixed = (q.replace("$__rate_interval", "5m").replace("$env", ".*") for q in queries())
    recorded = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(fixed)]
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": recorded}]}))

    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_no_two_panels_stand_on_one_another() -> None:
    panels = json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
