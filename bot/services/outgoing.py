"""The rows that tell people something, written in the transaction of the fact that they tell.

A row says what to draw, not how it looks: the worker that sends it draws from the store's state
of that moment. `cause` names the fact ("rollback:17:4"), and the same fact told twice is one
row; without a cause every call is a fact of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from bot.domain.calling import Call
from bot.domain.words import AnswerCode, NoteCode
from bot.ports.people import Window
from store.records import (
    AuditDraft,
    Case,
    Json,
    NewOutgoing,
    OutboxKind,
    Rollback,
    Version,
    VersionSource,
)


def moved(rollback: Rollback) -> str:
    """Return the cause "this rollback came to this revision"."""
    return f"rollback:{rollback.id}:{rollback.revision}"


def chart_row(case: Case, chart: Mapping[str, Json], cause: str) -> NewOutgoing:
    """Draw *chart*, as `bot.domain.chart.kept` has it, in the thread of *case*'s card, once."""
    return NewOutgoing(
        kind=OutboxKind.CHART,
        destination=case.channel,
        order_key=_order(case),
        dedupe_id=f"chart:{case.id}:{cause}",
        body={"case_id": case.id, "chart": dict(chart)},
    )


def by_keyturn(rollback: Rollback, action: str, **what: object) -> AuditDraft:
    """The audit entry of what Keyturn itself did with *rollback*."""
    return AuditDraft(
        user_id="keyturn",
        action=action,
        resource=f"rollback/{rollback.id}",
        status="ok",
        what={"app": ", ".join(str(leg.where) for leg in rollback.legs), **what},
        ip_note="Keyturn itself",
    )


def card_row(case: Case, cause: str = "") -> NewOutgoing:
    """Draw *case*'s card as it is by then; of several such rows only the newest is sent."""
    return NewOutgoing(
        kind=OutboxKind.CARD,
        destination=case.channel,
        order_key=_order(case),
        dedupe_id=f"card:{case.id}:{_fact(cause)}",
        body={"case_id": case.id},
        coalesce_key=f"card:{case.id}",
    )


def note_row(case: Case, code: NoteCode, facts: Mapping[str, Json], cause: str = "") -> NewOutgoing:
    """Say one sentence in the thread of *case*'s card."""
    return NewOutgoing(
        kind=OutboxKind.NOTE,
        destination=case.channel,
        order_key=_order(case),
        dedupe_id=f"note:{case.id}:{code.value}:{_fact(cause)}",
        body={"case_id": case.id, "code": code.value, "facts": dict(facts)},
    )


def call_row(case: Case, rollback: Rollback, code: Call) -> NewOutgoing:
    """Call those who may vote on *rollback* by direct messages, once for each *code*."""
    return NewOutgoing(
        kind=OutboxKind.CALL,
        destination=case.channel,
        order_key=f"call:{rollback.id}",
        dedupe_id=f"call:{rollback.id}:{code.value}",
        body={"case_id": case.id, "rollback_id": rollback.id, "code": code.value},
    )


def ended_facts(rollback: Rollback) -> dict[str, Json]:
    """What `NoteCode.ENDED` tells of a rollback that was not executed."""
    facts = dict(rollback.outcome_facts)
    return {
        "outcome": rollback.outcome,
        "facts": facts,
        "seconds": None,
        "rollback": rollback.id,
    }


def snippet_row(case: Case, rollback: Rollback) -> NewOutgoing:
    """Attach the whole difference of *rollback* to the thread of *case*'s card, once."""
    return NewOutgoing(
        kind=OutboxKind.SNIPPET,
        destination=case.channel,
        order_key=_order(case),
        dedupe_id=f"snippet:{rollback.id}",
        body={"case_id": case.id, "rollback_id": rollback.id},
    )


def picture_row(case: Case, rollback: Rollback, position: int = 0) -> NewOutgoing:
    """Draw what a leg of *rollback* changes into the thread of *case*'s card, once."""
    of_leg = f":{position}" if position else ""
    return NewOutgoing(
        kind=OutboxKind.PICTURE,
        destination=case.channel,
        order_key=_order(case),
        dedupe_id=f"picture:{rollback.id}{of_leg}",
        body={"case_id": case.id, "rollback_id": rollback.id, "leg": position},
    )


def drift_row(drift: Version, before: Version, channel: str) -> NewOutgoing:
    """Say in the app's channel that what is live was changed without a publish, once."""
    return NewOutgoing(
        kind=OutboxKind.NOTICE,
        destination=channel,
        order_key=f"drift:{drift.where}",
        dedupe_id=f"drift:{drift.id}",
        body={
            "code": NoteCode.DRIFT.value,
            "facts": {
                "where": str(drift.where),
                "old": before.number,
                "new": drift.number,
                "rows": [before.id, drift.id],
            },
        },
    )


def condemned_again_row(version: Version, before: Version | None, channel: str) -> NewOutgoing:
    """Say in the app's channel that somebody published what was rolled back, once."""
    return NewOutgoing(
        kind=OutboxKind.NOTICE,
        destination=channel,
        order_key=f"condemned:{version.where}",
        dedupe_id=f"condemned:{version.id}",
        body={
            "code": NoteCode.CONDEMNED_AGAIN.value,
            "facts": {
                "where": str(version.where),
                "number": version.number,
                "before": before.number if before else 0,
                "author": version.author,
            },
        },
    )


def published_row(version: Version, before: Version) -> NewOutgoing:
    """Let *version*, which came after *before*, be looked at for core parameters, once."""
    return NewOutgoing(
        kind=OutboxKind.PUBLISHED,
        destination="keyturn",
        order_key=f"published:{version.where}",
        dedupe_id=f"published:{version.id}",
        body={"rows": [before.id, version.id]},
    )


def core_row(
    version: Version, before: Version, lines: Sequence[str], count: int, channel: str
) -> NewOutgoing:
    """Say in *channel* which core parameters *version* changed: *lines*, of *count*; once."""
    return NewOutgoing(
        kind=OutboxKind.NOTICE,
        destination=channel,
        order_key=f"core:{version.where}",
        dedupe_id=f"core:{version.id}",
        body={
            "code": NoteCode.CORE_CHANGED.value,
            "facts": {
                "where": str(version.where),
                "old": before.number,
                "new": version.number,
                "author": version.author,
                "drift": version.source is VersionSource.DRIFT,
                "lines": list(lines),
                "count": count,
                "rows": [before.id, version.id],
            },
        },
    )


def suggestions_row(
    channel: str, code: NoteCode, facts: Mapping[str, Json], cause: str
) -> NewOutgoing:
    """Say in *channel* that suggestions for apps of it were paused, or are made again; once."""
    return NewOutgoing(
        kind=OutboxKind.NOTICE,
        destination=channel,
        order_key=f"suggestions:{channel}",
        dedupe_id=f"suggestions:{channel}:{cause}",
        body={"code": code.value, "facts": dict(facts)},
    )


def glass_row(case: Case, rollback: Rollback, facts: Mapping[str, Json]) -> NewOutgoing:
    """Say in the app's channel, by a message of its own, that the glass of *rollback* was broken.

    *facts* name the app and the versions; the reviewers are called.
    """
    broken = rollback.glass[-1]
    told = {
        "case_id": case.id,
        "slack_id": broken.slack_id,
        "reason": broken.reason,
        "in_freeze": broken.in_freeze,
        "call": [entry for entry in rollback.policy.voters if entry != broken.slack_id],
        **facts,
    }
    return _notice(case, NoteCode.GLASS_BROKEN, told, moved(rollback))


def review_row(case: Case, facts: Mapping[str, Json], *, days: int) -> NewOutgoing:
    """Ask in the app's channel for the review that *facts* are about; once for each of *days*."""
    code = NoteCode.REVIEW_STILL_OPEN if days else NoteCode.REVIEW_OPEN
    cause = f"rollback:{facts['rollback_id']}:{days}"
    return _notice(case, code, {"case_id": case.id, **facts}, cause)


def _notice(case: Case, code: NoteCode, facts: Mapping[str, Json], cause: str) -> NewOutgoing:
    """A message of its own about *case*, which a copy of the database holds back like its card."""
    return NewOutgoing(
        kind=OutboxKind.NOTICE,
        destination=case.channel,
        order_key=f"notice:{case.id}",
        dedupe_id=f"notice:{code.value}:{cause}",
        body={"code": code.value, "facts": dict(facts), "case_id": case.id},
    )


def answer_row(
    inbox_id: int,
    code: AnswerCode,
    facts: Mapping[str, Json],
    *,
    channel: str,
    slack_id: str,
    ts: str = "",
    response_url: str = "",
    window: Window | None = None,
    part: str = "",
) -> NewOutgoing:
    """Tell the one person who sent inbox item *inbox_id*; *part* tells two answers apart.

    In the dialog *window*, if there is one and it is open; else by a message.

    Facts that are known only when it is sent are named by what they stand for: `case_id`
    becomes `permalink`, `rollback_id` the difference's `text`, or with `place` one sheet of it.
    """
    return NewOutgoing(
        kind=OutboxKind.ANSWER,
        destination=channel,
        order_key=f"answer:{inbox_id}",
        dedupe_id=f"answer:{inbox_id}:{part}" if part else f"answer:{inbox_id}",
        body={
            "code": code.value,
            "facts": dict(facts),
            "channel": channel,
            "slack_id": slack_id,
            "ts": ts,
            "response_url": response_url,
            **({"window": _window(window)} if window else {}),
        },
    )


def _window(window: Window) -> dict[str, Json]:
    """*window* without its person, whom the row names already; an older release reads it so."""
    kept: dict[str, Json] = asdict(window)
    del kept["slack_id"]
    return kept


def _order(case: Case) -> str:
    return f"case:{case.id}"


def _fact(cause: str) -> str:
    return cause or uuid.uuid4().hex
