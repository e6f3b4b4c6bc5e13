"""`keyturn check` names every planted misconfiguration, with its mend, and nothing else."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.slack.inspection import NEEDED_SCOPES
from bot.playground.dify.faults import Fault
from bot.playground.prometheus.server import LocalPrometheus, Samples
from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.workflow import APP
from tests.acceptance.commands import keyturn
from tests.acceptance.world import World

_AT = [time.time() - 10.0 * n for n in range(360)]  # the hour before
MEASURED = [
    Samples({"__name__": "m", "app": app, "env": "prod"}, dict.fromkeys(_AT, 0.5))
    for app in (APP, "another")
]
NOWHERE = "http://127.0.0.1:9"  # the discard port; nobody listens
SENDER = f"""
[webhook.pager]
token_env = "PAGER_TOKEN"
status = "/state"
name = "/title"
starts_at = "/since"
labels = {{ app = "{APP}", env = "prod" }}
"""
SECRETS = ("DIFY_PASSWORD", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "KEYTURN_SECRET_KEY")


@dataclass
class Plant:
    """A world in which something is wrong: what `check` must fail, and words of the mend."""

    world: World
    variables: dict[str, str] = field(default_factory=dict)
    config: str = ""

    def __post_init__(self) -> None:
        self.variables = self.world.environment()
        self.config = self.world.config.read_text()

    def write(self, old: str, new: str) -> None:
        """Change the configuration file."""
        assert old in self.config
        self.config = self.config.replace(old, new)

    async def check(self) -> tuple[int, list[dict[str, str]], str]:
        self.world.config.write_text(self.config)
        told = await keyturn("check", "--json", variables=self.variables, cwd=self.world.folder)
        for name in SECRETS:
            secret = self.world.secrets[name]
            assert secret not in told.stdout + told.stderr
        return told.returncode, json.loads(told.stdout)["checks"], told.stderr


Planting = Callable[[Plant], Awaitable[None] | None]
PLANTED: dict[str, tuple[Planting, str, str, str]] = {}  # name → (plant, what, said, mend)


def planted(name: str, *, what: str, said: str, mend: str) -> Callable[[Planting], Planting]:
    def keep(plant: Planting) -> Planting:
        PLANTED[name] = (plant, what, said, mend)
        return plant

    return keep


@planted(
    "unknown key", what="slack.chanel", said="is not a known key", mend='did you mean "channel"'
)
def _unknown_key(plant: Plant) -> None:
    plant.write("[slack]", '[slack]\nchanel = "C0123456789"')


@planted("wrong type", what="policy.prod.votes", said="must be a whole number", mend="")
def _wrong_type(plant: Plant) -> None:
    plant.write("votes = 2", 'votes = "two"')


@planted(
    "unknown target",
    what=f"app.{APP}.environments.prod.target",
    said="no workspace of this name",
    mend='did you mean "dify.local"',
)
def _unknown_target(plant: Plant) -> None:
    plant.write('target = "dify.local"', 'target = "dify.locale"')


@planted(
    "two apps with one id",
    what="app.other.environments.prod.id",
    said=f"is the same app as {APP}@prod",
    mend="an app has one name",
)
def _one_id_twice(plant: Plant) -> None:
    line = next(line for line in plant.config.splitlines() if line.startswith("environments"))
    plant.write("[policy.prod]", f"[app.other]\n{line}\n[policy.prod]")


@planted("wrong Dify password", what="dify.local", said="refuses the login", mend="its password")
def _wrong_password(plant: Plant) -> None:
    plant.variables["DIFY_PASSWORD"] = "not this one"


@planted("Dify locked", what="dify.local", said="is locked", mend="wait a day")
def _locked(plant: Plant) -> None:
    plant.world.dify.state.lock_account(seed.BOT_EMAIL)


@planted(
    "Dify unreachable", what="dify.local", said="does not answer", mend="check [dify.local] url"
)
def _dify_down(plant: Plant) -> None:
    plant.write(plant.world.dify.url, NOWHERE)


@planted(
    "Dify answers HTML",
    what="dify.local",
    said="not as Dify's console API does",
    mend="must be the address of Dify's console",
)
def _html(plant: Plant) -> None:
    plant.world.dify.state.faults.add("app_list", Fault.HTML)


@planted(
    "app not in the workspace", what=f"{APP}@prod", said="no app with the id", mend="discover local"
)
def _no_such_app(plant: Plant) -> None:
    app_id = plant.world.dify.state.app(APP).id
    plant.write(app_id, "00000000-0000-4000-8000-000000000000")


@planted("app of another mode", what=f"{APP}@prod", said="cannot be rolled back", mend="a workflow")
def _app_without_versions(plant: Plant) -> None:
    channel = plant.world.dify.state.create_app("Channel", mode="channel")
    plant.write(plant.world.dify.state.app(APP).id, channel.id)


@planted(
    "a workflow that opts in",
    what=f"{APP}@prod",
    said="has versions to roll back",
    mend=f"take rolls_back_config out of [app.{APP}]",
)
def _a_workflow_opts_in(plant: Plant) -> None:
    plant.write(f"[app.{APP}]", f"[app.{APP}]\nrolls_back_config = true")


@planted(
    "Dify account no editor", what="dify.local role", said="is no editor", mend="the role editor"
)
def _no_editor(plant: Plant) -> None:
    plant.world.dify.state.account(seed.BOT_EMAIL).role = "normal"


@planted("Slack token refused", what="slack", said="the token is refused", mend="SLACK_BOT_TOKEN")
def _slack_token(plant: Plant) -> None:
    plant.variables["SLACK_BOT_TOKEN"] = "xoxb-another-one"


@planted(
    "Slack unreachable", what="slack", said="does not answer as Slack does", mend="the network"
)
def _slack_down(plant: Plant) -> None:
    plant.variables["SLACK_API_URL"] = f"{NOWHERE}/api/"


@planted(
    "token of another workspace", what="slack.team", said="the token is of", mend="correct one"
)
def _other_team(plant: Plant) -> None:
    plant.write(people.TEAM, people.OTHER_TEAM)


@planted(
    "missing scope", what="slack scopes", said="missing: files:write", mend="install the app again"
)
def _missing_scope(plant: Plant) -> None:
    plant.world.slack.state.scopes.discard("files:write")


@planted(
    "bot not in the channel",
    what=f"channel {people.ELSEWHERE}",
    said="the bot is not in #elsewhere",
    mend="/invite @keyturn",
)
def _not_in_channel(plant: Plant) -> None:
    plant.write(people.INCIDENTS, people.ELSEWHERE)


@planted(
    "unknown channel",
    what="channel C0NOWHERE01",
    said="channel_not_found",
    mend="take the id from the channel's details",
)
def _unknown_channel(plant: Plant) -> None:
    plant.write(people.INCIDENTS, "C0NOWHERE01")


@planted(
    "unknown channel of those who answer for it",
    what="channel C0NOWHERE01",
    said="channel_not_found",
    mend="take the id from the channel's details",
)
def _unknown_sre_channel(plant: Plant) -> None:
    plant.write("[slack]", '[slack]\nsre_channel = "C0NOWHERE01"')


@planted(
    "archived channel", what=f"channel {people.ARCHIVED}", said="is archived", mend="another one"
)
def _archived(plant: Plant) -> None:
    plant.write(people.INCIDENTS, people.ARCHIVED)


@planted("webhook token unset", what="KEYTURN_WEBHOOK_TOKEN", said="answered 401", mend="make a")
def _no_webhook_token(plant: Plant) -> None:
    del plant.variables["KEYTURN_WEBHOOK_TOKEN"]


@planted(
    "secret key unset", what="KEYTURN_SECRET_KEY", said="is missing", mend="secrets.token_urlsafe"
)
def _no_secret_key(plant: Plant) -> None:
    del plant.variables["KEYTURN_SECRET_KEY"]


@planted(
    "secret key too short", what="KEYTURN_SECRET_KEY", said="at least 16", mend="make one with"
)
def _short_secret_key(plant: Plant) -> None:
    plant.variables["KEYTURN_SECRET_KEY"] = "short"


@planted("no reviewers", what="policy.prod", said="nobody may vote", mend="name reviewers")
def _no_reviewers(plant: Plant) -> None:
    plant.write(f'reviewers = ["{people.REVIEWERS}"]', "reviewers = []")


@planted(
    "fewer reviewers than votes",
    what="policy.prod",
    said="2 votes needed, but only 1 may vote",
    mend="name more",
)
def _too_few_reviewers(plant: Plant) -> None:
    group = plant.world.slack.state.groups[people.REVIEWERS]
    group.users = [people.ALICE, people.FORMER, people.GUEST, people.ROBOT]


@planted(
    "unknown user group", what="policy.prod", said="S0NOBODY001 is unknown", mend="take its id"
)
def _unknown_group(plant: Plant) -> None:
    plant.write(people.REVIEWERS, "S0NOBODY001")


@planted("unknown reviewer", what="policy.prod", said="Slack knows no U0GHOST0001", mend="ids")
def _unknown_person(plant: Plant) -> None:
    plant.write(f'["{people.REVIEWERS}"]', f'["{people.REVIEWERS}", "U0GHOST0001"]')


@planted("database unreachable", what="database", said="cannot be used", mend="check DATABASE_URL")
def _no_database(plant: Plant) -> None:
    plant.variables["DATABASE_URL"] = "postgresql://keyturn:geheim@127.0.0.1:9/keyturn"


@planted("schema behind", what="database", said="the schema is", mend="keyturn migrate")
def _old_schema(plant: Plant) -> None:
    file = plant.world.folder / "old.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('0000')")
        database.commit()
    plant.variables["DATABASE_URL"] = f"sqlite:///{file}"


@planted("no folder for the database", what="database", said="is not there", mend="make it")
def _no_folder(plant: Plant) -> None:
    plant.variables["DATABASE_URL"] = f"sqlite:///{plant.world.folder / 'nowhere' / 'keyturn.db'}"


@planted(
    "Alertmanager unreachable",
    what="alertmanager",
    said="does not answer",
    mend="check [alertmanager] url",
)
def _no_alertmanager(plant: Plant) -> None:
    plant.config += f'[alertmanager]\nurl = "{NOWHERE}"\n'


@planted(
    "nobody keeps anchors",
    what="audit",
    said="anchor_url does not answer",
    mend="check [audit] anchor_url",
)
def _no_keeper(plant: Plant) -> None:
    plant.config += f'[audit]\nanchor_url = "{NOWHERE}"\n'


@planted(
    "nobody takes traces",
    what="traces",
    said=f"{NOWHERE} does not answer",
    mend="check OTEL_EXPORTER_OTLP_ENDPOINT",
)
def _no_collector(plant: Plant) -> None:
    plant.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = NOWHERE.replace("//", "//me:geheim@")


@planted(
    "Prometheus is something else",
    what="prometheus",
    said="something else answers",
    mend="correct [prometheus] url",
)
def _no_prometheus(plant: Plant) -> None:
    plant.config += f'[prometheus]\nurl = "{plant.world.dify.url}"\n'


async def test_a_sound_installation_has_nothing_to_mend(world: World) -> None:
    async with alertmanager() as url, LocalPrometheus(MEASURED).here() as prometheus:
        plant = Plant(world)
        plant.config += f'[alertmanager]\nurl = "{url}"\n{asking(prometheus)}'

        code, checks, said = await plant.check()

    assert (code, said) == (0, "")
    assert {check["verdict"] for check in checks} == {"ok"}
    assert [check["what"] for check in checks] == [
        *("settings", "database", "slack", "slack scopes"),
        *(f"channel {people.INCIDENTS}", "policy.prod", "dify.local", f"{APP}@prod"),
        *("dify.local role", "KEYTURN_WEBHOOK_TOKEN", "alertmanager"),
        *("prometheus", "prometheus queries"),
    ]
    assert checks[-1]["said"] == "3 queries bring something of 1 app"


async def test_whoever_answers_where_traces_go_is_enough(world: World) -> None:
    async with alertmanager() as url:  # it knows nothing of traces, and says 404
        plant = Plant(world)
        plant.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = url

        code, checks, _ = await plant.check()

    assert code == 0
    assert checks[-1] == {
        "what": "traces",
        "verdict": "ok",
        "said": f"something answers at {url}",
        "mend": "",
    }


async def test_without_the_token_of_alertmanager_other_senders_are_enough(world: World) -> None:
    plant = Plant(world)
    plant.config += SENDER
    plant.variables["PAGER_TOKEN"] = "its-own"
    del plant.variables["KEYTURN_WEBHOOK_TOKEN"]

    code, checks, _ = await plant.check()

    (token,) = (check for check in checks if check["what"] == "KEYTURN_WEBHOOK_TOKEN")
    assert (code, token["verdict"]) == (0, "note")
    assert "alerts of Alertmanager and Grafana are answered 401" in token["said"]


async def test_queries_that_bring_nothing_are_named_and_nothing_has_to_be_mended(
    world: World,
) -> None:
    async with LocalPrometheus(MEASURED).here() as prometheus:
        plant = Plant(world)
        plant.config += asking(prometheus, load="no_such_metric", other="m")

        code, checks, _ = await plant.check()

    assert code == 0
    assert (checks[-1]["what"], checks[-1]["verdict"]) == ("prometheus queries", "note")
    assert checks[-1]["said"] == (
        f"nothing was measured by load of {APP}@prod; more than one series (put sum() or max() "
        f"around it) came of other.own of {APP}@prod"
    )


async def test_a_query_that_is_refused_is_named_with_prometheuss_words(world: World) -> None:
    async with LocalPrometheus(MEASURED).here() as prometheus:
        plant = Plant(world)
        plant.config += asking(prometheus, load="rate(m)")

        code, checks, _ = await plant.check()

    assert (code, checks[-1]["verdict"]) == (1, "failed")
    assert f"load of {APP}@prod is refused (Prometheus: HTTP 400 bad_data" in checks[-1]["said"]
    assert checks[-1]["mend"] == f"correct load in [prometheus], or in [app.{APP}] metrics"


async def test_a_prometheus_that_does_not_let_us_in_is_told_apart(world: World) -> None:
    async def locked(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401)

    async with LocalPrometheus(fault=locked).here() as prometheus:
        plant = Plant(world)
        plant.config += asking(prometheus)

        code, checks, _ = await plant.check()

    assert (code, checks[-1]["what"], checks[-1]["verdict"]) == (1, "prometheus", "failed")
    assert "does not let us in" in checks[-1]["said"]
    assert checks[-1]["mend"].startswith("give Keyturn a token")


@pytest.mark.parametrize("name", PLANTED)
async def test_each_planted_misconfiguration_is_named_with_its_mend(
    world: World, name: str
) -> None:
    plant_it, what, said, mend = PLANTED[name]
    plant = Plant(world)
    plant_it(plant)

    code, checks, _ = await plant.check()

    failed = [check for check in checks if check["verdict"] == "failed"]
    assert code == 1
    assert [check["what"] for check in failed] == [what]
    assert said in failed[0]["said"]
    assert mend in failed[0]["mend"] + failed[0]["said"]
    assert failed[0]["mend"]
    assert "geheim" not in json.dumps(checks)


async def test_every_line_for_people_is_ok_or_says_what_to_do(world: World) -> None:
    plant = Plant(world)
    _wrong_password(plant)
    plant.write(people.INCIDENTS, people.ELSEWHERE)
    world.config.write_text(plant.config)

    told = await keyturn("check", variables=plant.variables, cwd=world.folder)

    assert told.returncode == 1
    lines = told.stdout.splitlines()
    assert sum(line.startswith("failed") for line in lines) == 2
    assert sum("→ " in line for line in lines) == 2
    assert lines[-1].startswith("2 of ")


async def test_when_all_is_well_the_last_line_says_so(world: World) -> None:
    told = await keyturn("check", variables=world.environment(), cwd=world.folder)

    assert told.returncode == 0
    lines = told.stdout.splitlines()
    assert lines[-1] == f"everything is well: {len(lines) - 1} looked at"


async def test_what_is_said_of_a_long_name_stands_below_it_in_the_same_column(
    world: World,
) -> None:
    plant = Plant(world)
    _unknown_target(plant)
    world.config.write_text(plant.config)

    told = await keyturn("check", variables=plant.variables, cwd=world.folder)

    lines = told.stdout.splitlines()
    (long,) = (n for n, line in enumerate(lines) if ".target" in line)
    assert lines[long] == f"failed  app.{APP}.environments.prod.target"
    (short,) = (line for line in lines if line.split()[1:2] == ["database"])
    below = lines[long + 1]
    assert len(below) - len(below.lstrip()) == short.index(short.split("database")[1].strip())


async def test_checking_makes_no_database_and_sends_no_message(
    world: World, tmp_path: Path
) -> None:
    plant = Plant(world)
    plant.variables["DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.db'}"

    code, checks, _ = await plant.check()

    assert code == 0
    assert "makes it" in next(c["said"] for c in checks if c["what"] == "database")
    assert not (tmp_path / "new.db").exists()
    assert not world.slack.state.messages(people.INCIDENTS)


def test_the_scopes_that_are_asked_for_are_those_of_the_manifest() -> None:
    import yaml

    root = Path(__file__).parents[2]
    manifest: Any = yaml.safe_load((root / "deploy/slack-manifest.yaml").read_text())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == set(NEEDED_SCOPES)


def asking(prometheus: LocalPrometheus, *, load: str = "m", other: str = "") -> str:
    """The table that asks *prometheus*; the queries are of the one app that is watched."""
    own = f"other = {{ own = '{other}{{app=~\".+\"}}' }}" if other else ""
    return f"""
[prometheus]
url = "{prometheus.url}"
errors = 'm{{app="$app",env="$env"}}'
latency = 'm{{app="$app"}}'
[app.{APP}.metrics]
load = '{load if load != "m" else f'm{{app="{APP}"}}'}'
{own}
"""


@asynccontextmanager
async def alertmanager() -> AsyncIterator[str]:
    """A server that answers as Alertmanager does about itself."""

    async def status(request: web.Request) -> web.Response:
        return web.json_response({"versionInfo": {"version": "0.28.1"}, "uptime": ""})

    app = web.Application()
    app.router.add_get("/api/v2/status", status)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
