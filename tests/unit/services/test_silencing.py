"""`/rollback silence`: who may, for how long, and what everybody is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.policy import Policy
from bot.errors import NoAlertmanager, NotAllowed, NotSilenced, SilenceTooLong
from bot.ports.store import Store
from store.records import Silenced
from tests.builders import ALICE, BOB, DAVE, PROD, a_firing
from tests.unit.services.scene import Scene, a_history, a_pending
from tests.unit.services.test_decide_commands import said


class CanSilence(Scene):
    """A scene with an Alertmanager."""

    async def judge(self, **changes: object) -> None:
        await super().judge(**{"silences": True, **changes})


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return CanSilence.of(sqlite_store)


async def silenced(scene: Scene) -> Silenced | None:
    async with scene.store.read() as tx:
        return await tx.silences.of(PROD)


@pytest.mark.parametrize("who", [ALICE, DAVE], ids=["a reviewer", "a requester"])
async def test_who_may_ask_or_vote_silences_an_app(scene: Scene, who: str) -> None:
    await a_history(scene.store)

    answer = await said(scene, who, f"silence {PROD} for 45m the gateway is moved")

    found = await silenced(scene)
    assert found is not None
    assert found.slack_id == who
    assert abs(found.until - found.since - timedelta(minutes=45)) < timedelta(seconds=5)
    assert (answer["code"], answer["alerts"]) == ("you_silenced", [])
    (entry,) = await scene.entries("alerts.")
    assert (entry.status, entry.resource) == ("ok", f"app/{PROD}")
    assert (entry.what["reason"], entry.what["minutes"]) == ("the gateway is moved", 45)


async def test_what_fires_in_the_open_case_is_silenced_and_its_thread_is_told(
    scene: Scene,
) -> None:
    rollback = await a_pending(scene.store)
    async with scene.store.write() as tx:
        from store.records import Delivery

        taken = Delivery("alertmanager", "keyturn", "g", "d", 0, (a_firing(),))
        stored = await tx.alerts.take(taken)
        await tx.alerts.assign([one.id for one in stored], rollback.case_id)

    answer = await said(scene, DAVE, f"silence {PROD} 30m")
    ended = await said(scene, DAVE, f"silence {PROD} off")

    assert answer["alerts"] == ["WrongAnswers"]
    assert ended["code"] == "you_unsilenced"
    assert await silenced(scene) is None
    told = [reply.note for reply in scene.messenger.replies]
    codes = [note.code for note in told]
    assert [code for code in codes if code.startswith("alerts_")] == [
        "alerts_silenced",
        "alerts_heard",
    ]
    assert {note.facts["slack_id"] for note in told if note.code.startswith("alerts_")} == {DAVE}


async def test_who_may_only_look_silences_nothing_and_that_is_recorded(scene: Scene) -> None:
    await a_history(scene.store)
    looks = Policy(reviewers=(ALICE,), requesters=(DAVE,), viewers=(BOB,), named=True)

    await scene.command(BOB, f"silence {PROD} 30m")
    await scene.judge(policy_of=lambda _: looks)
    await scene.tell()

    assert scene.told()[-1][1:] == ("refused", NotAllowed("").to_person())
    assert await silenced(scene) is None
    (entry,) = await scene.entries("alerts.")
    assert entry.status == "refused"


@pytest.mark.parametrize(
    ("text", "error"),
    [("silence {} 5h", SilenceTooLong), ("silence {} off", NotSilenced)],
)
async def test_what_cannot_be_done_is_said_and_recorded(
    scene: Scene, text: str, error: type[SilenceTooLong | NotSilenced]
) -> None:
    await a_history(scene.store)

    answer = await said(scene, DAVE, text.format(PROD))

    assert answer["text"] == error("").to_person()
    (entry,) = await scene.entries("alerts.")
    assert (entry.status, entry.what["code"]) == ("refused", error("").code)


async def test_without_an_alertmanager_nothing_is_promised(sqlite_store: Store) -> None:
    scene = Scene.of(sqlite_store)
    await a_history(scene.store)

    answer = await said(scene, DAVE, f"silence {PROD} 30m")

    assert answer["text"] == NoAlertmanager("").to_person()
    assert await silenced(scene) is None


async def test_status_shows_who_silenced_what_until_when(scene: Scene) -> None:
    await a_history(scene.store)
    await said(scene, DAVE, f"silence {PROD}")

    answer = await said(scene, ALICE, "status")

    found = await silenced(scene)
    assert found is not None
    (row,) = answer["rows"]
    assert (row["silenced_by"], row["silenced_until"]) == (DAVE, found.until.isoformat())
