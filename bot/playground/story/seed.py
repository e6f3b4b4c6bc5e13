"""What has happened before the story begins, and what can be made to happen in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.playground.dify.state import DifyState
from bot.playground.dify.workflows import Workflow
from bot.playground.story.workflow import (
    APP,
    BAD_CODE,
    BAD_PROMPT,
    GOOD_PROMPT,
    HELP_ARTICLES_ID,
    MODELS,
    PROVIDER,
    Edition,
    environment,
    features,
    graph,
)

DRILL_APP = f"{APP}-drill"  # a copy that serves nobody
KEEP = "[__HIDDEN__]"  # Dify's placeholder: the secret keeps its value
BOT_EMAIL = "rollback-bot@example.com"
FIRST = Edition(prompt=GOOD_PROMPT.partition("\nNever")[0], model="gpt-4-turbo", temperature=0.7)
_GOOD = Edition()
_RAN_WELL, _RAN_ILL = 178, 2  # runs in the hours before the story
_SUFFER = 24  # runs that the bad version gets
_PAST: tuple[tuple[timedelta, str, str, Edition], ...] = (
    (timedelta(days=21), "alice", "first version", FIRST),
    (timedelta(days=16), "bob", "", replace(FIRST, top_k=3)),
    (timedelta(days=9), "alice", "gpt-4o", replace(FIRST, model="gpt-4o", top_k=3)),
    (timedelta(days=4), "carol", "no refunds", replace(_GOOD, temperature=0.7, top_k=3)),
    (timedelta(days=2), "alice", "", replace(_GOOD, top_k=3)),
    (timedelta(hours=5), "bob", "more articles", _GOOD),
)


def seed(dify: DifyState, *, password: str, secret: str) -> str:
    """Fill *dify* with people and an app with six versions; return the app's id.

    Args:
        dify: An empty server.
        password: Of every account, the bot's too.
        secret: The value of the workflow's secret variable.
    """
    for name, role in (
        ("carol", "owner"),
        ("alice", "editor"),
        ("bob", "editor"),
        ("dave", "editor"),
    ):
        dify.add_account(f"{name}@example.com", password, name=name, role=role)
    dify.add_account(BOT_EMAIL, password, name="rollback-bot", role="editor")
    dify.models[PROVIDER] = set(MODELS)
    dify.datasets[HELP_ARTICLES_ID] = "Help articles"
    app = dify.create_app(APP, by="carol", description="Answers customers' questions")
    now = dify.clock()
    for age, author, comment, edition in _PAST:
        first = edition is FIRST
        _publish(dify, edition, by=author, comment=comment, at=now - age,
                 secret=secret if first else KEEP)  # fmt: skip
    _run(dify, succeeded=_RAN_WELL, failed=_RAN_ILL, over=timedelta(hours=2))
    return app.id


def seed_drill_app(dify: DifyState, *, secret: str) -> str:
    """Add a copy of the app, of its last three versions, to practise in; return its id."""
    app = dify.create_app(DRILL_APP, by="carol", description="To practise rollbacks in")
    now = dify.clock()
    for number, (age, author, comment, edition) in enumerate(_PAST[-3:]):
        _publish(dify, edition, by=author, comment=comment, at=now - age, app=DRILL_APP,
                 secret=KEEP if number else secret)  # fmt: skip
    return app.id


def publish_bad(dify: DifyState, *, by: str = "dave", at: datetime | None = None) -> Workflow:
    """Publish the change that makes users suffer: model, prompt and code at once.

    It is published now, or was at *at*.
    """
    bad = replace(
        _GOOD, prompt=BAD_PROMPT, model="gpt-4o-mini", temperature=1.1, code=BAD_CODE, shift=16
    )
    published = _publish(dify, bad, by=by, comment="friendlier answers", at=at, secret=KEEP)
    _run(dify, succeeded=_SUFFER // 4, failed=_SUFFER - _SUFFER // 4, over=timedelta())
    return published


def publish_innocent(dify: DifyState, *, by: str = "alice", at: datetime | None = None) -> Workflow:
    """Publish a change that nobody suffers from."""
    return _publish(
        dify, replace(_GOOD, top_k=5), by=by, comment="one more article", at=at, secret=KEEP
    )


def publish_bad_prompt(dify: DifyState, *, by: str = "bob", at: datetime | None = None) -> Workflow:
    """Publish the bad prompt alone, on top of what is innocent."""
    edition = replace(_GOOD, top_k=5, prompt=BAD_PROMPT)
    return _publish(dify, edition, by=by, comment="shorter prompt", at=at, secret=KEEP)


def publish_half_a_fix(dify: DifyState, *, by: str = "dave") -> Workflow:
    """Publish the bad version again with its code mended, and its prompt and model as bad."""
    edition = replace(_GOOD, prompt=BAD_PROMPT, model="gpt-4o-mini", temperature=1.1, shift=16)
    return _publish(dify, edition, by=by, comment="mends the code", at=None, secret=KEEP)


def add_neighbour(dify: DifyState, name: str) -> str:
    """Add an app that shares nothing but the model's provider; return its id."""
    app = dify.create_app(name, by="carol", description="Another app of the same people")
    first = dify.clock() - timedelta(days=12)
    shape = graph(_GOOD)
    shape["nodes"] = [node for node in shape["nodes"] if node["id"] != "articles"]
    shape["edges"] = [edge for edge in shape["edges"] if "articles" not in edge["id"]]
    dify.publish_directly(name, graph=shape, features=features(), by="carol", at=first)
    return app.id


def leave_work_unpublished(dify: DifyState, *, by: str = "carol") -> None:
    """Let an editor save work that is not published: no rollback may touch it."""
    live = dify.live(APP)
    assert live is not None  # noqa: S101  # the story has published versions
    summary = graph(replace(_GOOD, note=True))["nodes"][-1]
    nodes = [*live.graph["nodes"], summary]
    dify.save_draft_as_editor(APP, graph={**live.graph, "nodes": nodes}, by=by)


def _run(dify: DifyState, *, succeeded: int, failed: int, over: timedelta) -> None:
    """Let customers run what is live, evenly *over* the time up to now."""
    now, count = dify.clock(), succeeded + failed
    for number in range(count):
        status = "failed" if number < failed else "succeeded"
        dify.run(APP, status=status, at=now - over * (count - number) / count)


def _publish(
    dify: DifyState,
    edition: Edition,
    *,
    by: str,
    comment: str,
    at: datetime | None,
    secret: str,
    app: str = APP,
) -> Workflow:
    return dify.publish_directly(
        app,
        graph=graph(edition),
        features=features(),
        environment_variables=environment(edition, secret=secret),
        conversation_variables=[],
        comment=comment,
        by=by,
        at=at,
    )
