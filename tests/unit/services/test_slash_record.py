"""`/rollback record`: a link for who may see all of it, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.policy import Policy
from bot.ports.people import Note
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from store.records import AppEnv, NewRollback, Rollback
from store.session import SqlStore
from tests.builders import ALICE, CHANNEL, DAVE, KEYS, PROD
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_history, a_pending

APP = str(PROD)
HIDDEN = AppEnv("kb-search", "secret")
NOBODYS = Policy(reviewers=("U0CAROL",), named=True)


@pytest.fixture
def scene(sqlite_store: SqlStore) -> Scene:
    return Scene.of(sqlite_store)


def policy_of(where: AppEnv) -> Policy:
    return NOBODYS if where == HIDDEN else POLICY


async def asked(scene: Scene, text: str, who: str = DAVE) -> Note:
    """What *who* is told who types *text*."""
    await scene.command(who, text)
    await scene.judge(policy_of=policy_of, channels={PROD: CHANNEL, HIDDEN: CHANNEL})
    await scene.tell()
    return [answer.note for answer in scene.messenger.answers if answer.slack_id == who][-1]


async def a_pending_of_both(scene: Scene) -> Rollback:
    """A rollback of an app that everybody sees and of one that few do."""
    alone = await a_pending(scene.store)
    old, new = await a_history(scene.store, HIDDEN)
    leg = replace(
        alone.leg,
        where=HIDDEN,
        from_version_id=new.id,
        to_version_id=old.id,
        live_external_id=new.external_id,
    )
    async with scene.store.write() as tx:
        await tx.rollbacks.save(
            alone.moved(type(alone.state).SUPERSEDED), was=alone.revision, entry=ENTRY
        )
        new_one = NewRollback(
            case_id=alone.case_id,
            nonce="another",
            legs=(alone.leg, leg),
            content_digest="dd" * 32,
            policy=alone.policy,
            requested_by=DAVE,
            requested_slack_id=DAVE,
        )
        return await tx.rollbacks.open(
            new_one, open_for=alone.expires_at - alone.opened_at, entry=ENTRY
        )


async def test_the_newest_rollback_of_an_app_is_meant_where_none_is_named(scene: Scene) -> None:
    pending = await a_pending(scene.store)

    told = await asked(scene, f"record {APP}")

    assert (told.code, told.facts["rollback"]) == ("record", pending.id)
    assert told.facts["address"] == "", "without an address there is no link"


async def test_a_link_is_made_when_the_answer_is_sent_and_kept_nowhere(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.command(DAVE, f"record {APP} {pending.id}")
    await scene.judge()
    differences = Differences()

    def address(name: str, until: object) -> str:
        return f"https://keyturn.example.com/{name}"

    drawing = Drawing(scene.store, differences, keys=KEYS, address=address)
    worker = Deliver(
        scene.store,
        scene.messenger,
        drawing,
        differences,
        owner="d1",
        jitter=lambda: -1.0,
        address=address,
    )
    while await worker.step():
        pass

    note = scene.messenger.answers[-1].note
    assert note.facts["address"] == f"https://keyturn.example.com/{pending.id}"
    async with scene.store.read() as tx:
        rows: list[Any] = await tx.outbox.queued("answer:1", ("answer",))  # type: ignore[arg-type]
    assert [row.body["facts"] for row in rows] == [
        {"where": APP, "rollback": pending.id, "state": "PENDING_APPROVAL"}
    ]


@pytest.mark.parametrize("named", ["", " 99"])
async def test_what_is_not_there_is_said_not_to_be(scene: Scene, named: str) -> None:
    if named:
        await a_pending(scene.store)
    else:
        await a_history(scene.store)

    told = await asked(scene, f"record {APP}{named}")

    assert told.code == "refused"
    assert "whose record you may see" in str(told.facts["text"])
    (entry,) = await scene.entries("record.see")
    assert (entry.user_id, entry.status) == (DAVE, "refused")


async def test_of_several_apps_only_who_sees_all_gets_the_record(scene: Scene) -> None:
    both = await a_pending_of_both(scene)

    theirs = await asked(scene, f"record {APP} {both.id}")
    missing = await asked(scene, f"record {APP} 99")

    assert theirs.code == "refused"
    assert str(theirs.facts["text"]) == str(missing.facts["text"]).replace("99", str(both.id))


async def test_the_rollback_of_another_app_is_not_given_under_this_one_s_name(
    scene: Scene,
) -> None:
    other = await a_pending(scene.store, where=AppEnv("kb-search", "prod"))
    await a_history(scene.store)

    assert (await asked(scene, f"record {APP} {other.id}", ALICE)).code == "refused"
