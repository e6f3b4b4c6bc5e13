"""Direct messages: who gets one, of what, when, and what it says when that is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain import approval
from bot.domain.calling import Call, Manner
from bot.domain.windows import windows
from bot.errors import Ambiguous, Throttled, UpstreamDown, UpstreamRefused
from bot.ports.people import Note
from bot.ports.store import Store
from bot.services import calling
from bot.services.calling import Calling
from bot.services.deliver import Deliver
from bot.services.drawing import Differences, Drawing
from bot.services.outgoing import call_row, card_row, moved
from store.records import AppEnv, PauseOrigin, Rollback
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, KEYS, PROD, REVIEWERS
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_pending, vote_of

OTHER = AppEnv("kb-search", "prod")
ALWAYS = windows(["00:00-24:00"], ZoneInfo("UTC"))
OFTEN = Manner(every=timedelta(0))


@dataclass
class Post:
    """A scene with the workers of direct messages."""

    scene: Scene
    manner: Manner = field(default_factory=Manner)

    def calling(self, owner: str = "c1") -> Calling:
        scene = self.scene
        return Calling(
            scene.store,
            scene.messenger,
            scene.directory,
            self.manner,
            owner=owner,
            jitter=lambda: -1.0,
        )

    async def work(self) -> None:
        """Send all that may be sent."""
        store, differences = self.scene.store, Differences()
        deliver = Deliver(
            store,
            self.scene.messenger,
            Drawing(store, differences, keys=KEYS),
            differences,
            owner="c1",
            jitter=lambda: -1.0,
            calling=(telling := self.calling()),
        )
        while await deliver.step():
            pass
        while await telling.step():
            pass

    async def opened(self, where: AppEnv = PROD, **changes: object) -> Rollback:
        """A rollback that waits and calls people, as one that is opened does."""
        pending = await a_pending(self.scene.store, where=where, **changes)  # type: ignore[arg-type]
        await self.call(pending, Call.ASKED)
        return pending

    async def call(self, rollback: Rollback, code: Call) -> None:
        async with self.scene.store.write() as tx:
            case = await tx.cases.get(rollback.case_id)
            assert await tx.outbox.put(call_row(case, rollback, code))

    async def moved(self, after: Rollback) -> None:
        """Store *after*, one step on, and let its card be drawn anew."""
        async with self.scene.store.write() as tx:
            saved = await tx.rollbacks.save(after, was=after.revision - 1, entry=ENTRY)
            await tx.outbox.put(card_row(await tx.cases.get(after.case_id), moved(saved)))

    def to(self, who: str) -> list[list[Note]]:
        """All that each message to *who* said, oldest first."""
        direct = self.scene.messenger.direct
        return [said for (channel, _), said in direct.items() if channel == f"D{who[1:]}"]


@pytest.fixture
def post(sqlite_store: Store) -> Post:
    return Post(Scene.of(sqlite_store))


async def test_those_who_may_vote_are_told_once_with_the_way_to_the_card(post: Post) -> None:
    await post.opened()
    await post.work()
    await post.work()

    for who in (ALICE, BOB, CAROL):
        ((note,),) = post.to(who)
        (row,) = note.facts["rows"]
        assert (row["where"], row["old"], row["new"], row["count"]) == (str(PROD), 2, 1, 0)
        assert f"/archives/{CHANNEL}/p" in row["permalink"]
    assert post.to(DAVE) == []


async def test_who_asked_or_has_voted_is_not_told(post: Post) -> None:
    pending = await post.opened(requested_by=ALICE)
    await vote_of(post.scene.store, BOB, pending)
    await post.work()

    assert (post.to(ALICE), post.to(BOB), len(post.to(CAROL))) == ([], [], 1)


@pytest.mark.parametrize("flags", [{"guest": True}, {"deleted": True}, {"bot": True}])
async def test_whose_vote_would_not_be_taken_is_not_told(
    post: Post, flags: dict[str, bool]
) -> None:
    post.scene.directory.change(ALICE, **flags)
    await post.opened()
    await post.work()

    assert (post.to(ALICE), len(post.to(BOB))) == ([], 1)


async def test_who_has_left_the_group_is_not_told(post: Post) -> None:
    await post.opened()
    post.scene.directory.leave(ALICE, REVIEWERS)
    await post.work()

    assert (post.to(ALICE), len(post.to(BOB))) == ([], 1)


async def test_in_a_channel_that_others_share_nobody_is_told(post: Post) -> None:
    post.scene.directory.shared.add(CHANNEL)
    await post.opened()
    await post.work()

    assert post.scene.messenger.direct == {}


async def test_several_that_wait_are_one_message(post: Post) -> None:
    await post.opened()
    await post.opened(OTHER)
    await post.work()

    ((note,),) = post.to(ALICE)
    assert [row["where"] for row in note.facts["rows"]] == [str(PROD), str(OTHER)]
    assert note.facts["waiting"] == 2


async def test_nobody_gets_a_second_one_at_once(post: Post) -> None:
    await post.opened()
    await post.work()
    await post.opened(OTHER)
    await post.work()
    assert len(post.to(ALICE)) == 1

    post.manner = OFTEN  # as when the time is over
    async with post.scene.store.write() as tx:
        (waiting,) = [call for call in await tx.direct.calls(ALICE) if not call.ts]
        await tx.direct.look_again(waiting.rollback_id)
    await post.work()
    assert [note.facts["rows"][0]["where"] for (note,) in post.to(ALICE)] == [
        str(PROD),
        str(OTHER),
    ]


async def test_in_their_quiet_hours_people_wait_unless_it_is_escalated(post: Post) -> None:
    post.manner = Manner(quiet=ALWAYS)
    rules = replace(POLICY, backups=(CAROL,)).snapshot([ALICE, BOB, CAROL])
    pending = await post.opened(rules=rules)
    await post.work()
    assert post.scene.messenger.direct == {}

    await post.call(pending, Call.ESCALATED)
    await post.work()

    ((note,),) = post.to(CAROL)
    assert note.facts["rows"][0]["call"] == "escalated"
    assert (post.to(ALICE), post.to(BOB)) == ([], [])


async def test_a_reminder_is_a_message_of_its_own(post: Post) -> None:
    post.manner = OFTEN
    pending = await post.opened()
    await post.work()
    await post.call(pending, Call.REMINDER)
    await post.work()

    assert [note.facts["rows"][0]["call"] for (note,) in post.to(ALICE)] == ["asked", "reminder"]


async def test_of_a_call_and_its_reminder_that_waited_together_one_is_told(post: Post) -> None:
    pending = await post.opened()
    await post.call(pending, Call.REMINDER)
    await post.work()

    ((note,),) = post.to(ALICE)
    assert [row["call"] for row in note.facts["rows"]] == ["reminder"]


async def test_a_message_says_what_became_of_it_and_first_what_still_waits(post: Post) -> None:
    pending = await post.opened()
    await post.opened(OTHER)
    await post.work()

    await post.moved(approval.expire(pending, at=pending.expires_at))
    await post.work()

    ((first, second),) = post.to(ALICE)
    assert [row["stands"] for row in first.facts["rows"]] == ["waits", "waits"]
    assert [row["stands"] for row in second.facts["rows"]] == ["waits", "over"]
    assert second.facts["rows"][1]["state"] == "EXPIRED"


async def test_who_votes_reads_that_they_have_and_others_read_nothing_new(post: Post) -> None:
    pending = await post.opened()
    await post.work()

    voted = await vote_of(post.scene.store, ALICE, pending)
    async with post.scene.store.write() as tx:
        await tx.outbox.put(card_row(await tx.cases.get(voted.case_id), moved(voted)))
    await post.work()

    assert [note.facts["rows"][0]["stands"] for (*_, note) in post.to(ALICE)] == ["voted"]
    assert [len(said) for said in post.to(BOB)] == [1]


async def test_what_was_decided_meanwhile_is_not_told(post: Post) -> None:
    pending = await post.opened()
    await post.moved(approval.expire(pending, at=pending.expires_at))
    await post.work()

    assert post.scene.messenger.direct == {}


async def test_what_is_decided_while_a_person_waits_is_not_told(post: Post) -> None:
    post.manner = Manner(quiet=ALWAYS)
    pending = await post.opened()
    await post.work()
    await post.moved(approval.expire(pending, at=pending.expires_at))
    post.manner = Manner()
    await post.work()

    assert post.scene.messenger.direct == {}


async def test_who_turned_them_off_gets_none(post: Post) -> None:
    async with post.scene.store.write() as tx:
        await tx.direct.switch(ALICE, off=True, entry=ENTRY)
    await post.opened()
    await post.work()

    assert (post.to(ALICE), len(post.to(BOB))) == ([], 1)


async def test_where_they_are_off_nobody_gets_any(post: Post) -> None:
    post.manner = Manner(on=False)
    await post.opened()
    await post.work()

    assert post.scene.messenger.direct == {}


@pytest.mark.parametrize("error", [Throttled("slack", 0.0), UpstreamDown("slack", "no answer")])
async def test_while_slack_does_not_take_it_it_waits(post: Post, error: UpstreamDown) -> None:
    await post.opened()
    await post.scene.tell()  # the card, and the row of the call: without anybody to call
    async with post.scene.store.write() as tx:
        (rollback,) = await tx.rollbacks.newest()
        await tx.direct.call([ALICE], rollback.id, Call.ASKED)
    post.scene.messenger.failing.append(error)
    await post.work()

    assert len(post.to(ALICE)) == 1


async def test_an_answer_that_was_lost_sends_one_more(post: Post) -> None:
    await post.opened()
    await post.scene.tell()
    async with post.scene.store.write() as tx:
        (rollback,) = await tx.rollbacks.newest()
        case = await tx.cases.get(rollback.case_id)
        await tx.cases.save(replace(case, card_ts=""), was=case.revision)  # no link to ask for
        await tx.direct.call([ALICE], rollback.id, Call.ASKED)
    post.scene.messenger.applies_anyway = True
    post.scene.messenger.failing.append(Ambiguous("slack", "connection lost"))
    await post.work()

    assert len(post.to(ALICE)) == 2


async def test_a_message_that_somebody_deleted_holds_up_nothing(post: Post) -> None:
    post.manner = OFTEN
    pending = await post.opened()
    await post.work()
    post.scene.messenger.direct.clear()
    await post.moved(approval.expire(pending, at=pending.expires_at))
    await post.opened(OTHER)
    await post.work()

    assert len(post.to(ALICE)) == 1


async def test_one_person_whom_slack_refuses_does_not_hold_up_the_others(post: Post) -> None:
    await post.opened()
    await post.scene.tell()
    async with post.scene.store.write() as tx:
        (rollback,) = await tx.rollbacks.newest()
        case = await tx.cases.get(rollback.case_id)
        await tx.cases.save(replace(case, card_ts=""), was=case.revision)
        await tx.direct.call([ALICE, BOB], rollback.id, Call.ASKED)
    refused = UpstreamRefused("slack", "no tab", "messages_tab_disabled")
    post.scene.messenger.failing.append(refused)
    await post.work()

    assert (post.to(ALICE), len(post.to(BOB))) == ([], 1)


async def test_a_group_of_hundreds_reads_its_channel(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "MOST", 2)
    await post.opened()
    await post.work()

    assert sum(len(post.to(who)) for who in (ALICE, BOB, CAROL)) == 2


async def test_a_paused_copy_tells_nobody(post: Post) -> None:
    await post.opened()
    async with post.scene.store.write() as tx:
        await tx.pause.mark(PauseOrigin.COPY, "a copy", entry=None)
    telling = post.calling()
    async with post.scene.store.write() as tx:
        (rollback,) = await tx.rollbacks.newest()
        await tx.direct.call([ALICE], rollback.id, Call.ASKED)

    assert not await telling.step()
    assert post.scene.messenger.direct == {}


async def test_a_channel_that_slack_does_not_show_takes_no_other_call_with_it(post: Post) -> None:
    post.manner = OFTEN
    gone = "C0GONE00000"
    first = await post.opened()
    await post.work()
    post.scene.messenger.channels.add(gone)
    post.scene.directory.unseen.add(gone)
    other = await post.opened(OTHER, channel=gone)
    async with post.scene.store.write() as tx:
        await tx.direct.call([ALICE], other.id, Call.ASKED)
    await post.work()

    await post.moved(approval.expire(first, at=first.expires_at))
    await post.work()

    (said,) = post.to(ALICE)
    assert said[-1].facts["rows"][0]["stands"] == "over"


async def test_the_way_to_a_card_that_came_later_is_said_once_it_stands(post: Post) -> None:
    pending = await post.opened()
    async with post.scene.store.write() as tx:
        await tx.direct.call([ALICE], pending.id, Call.ASKED)
    telling = post.calling()
    while await telling.step():
        pass
    (said,) = post.to(ALICE)
    assert said[0].facts["rows"][0]["permalink"] == ""

    await post.work()

    assert f"/archives/{CHANNEL}/p" in said[-1].facts["rows"][0]["permalink"]


async def test_while_slack_asks_to_wait_nobody_else_is_told_either(post: Post) -> None:
    pending = await post.opened()
    async with post.scene.store.write() as tx:
        await tx.direct.call([ALICE, BOB, CAROL], pending.id, Call.ASKED)
    post.scene.messenger.failing.append(Throttled("slack", 30.0))
    telling = post.calling()

    while await telling.step():
        pass

    assert post.scene.messenger.direct == {}


async def test_what_somebody_mends_in_slack_is_waited_for(post: Post) -> None:
    pending = await post.opened()
    async with post.scene.store.write() as tx:
        await tx.direct.call([ALICE], pending.id, Call.ASKED)
    post.scene.messenger.failing.append(UpstreamRefused("slack", "no", "missing_scope"))
    await post.calling().step()

    async with post.scene.store.read() as tx:
        (call,) = await tx.direct.calls(ALICE)
    assert not call.over
