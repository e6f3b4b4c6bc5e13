"""The outbox: told in order, from what the store holds by then, and never dropped in silence."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import approval
from bot.domain.diff.browse import Sheet
from bot.domain.diff.picture import Fate
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.ports.people import Messenger
from bot.ports.store import Store
from bot.services.drawing import Differences
from bot.services.outgoing import answer_row, card_row, note_row, picture_row, snippet_row
from store.records import AppEnv, NewOutgoing, OutboxKind, Rollback
from store.session import open_store
from tests.builders import ALICE, CHANNEL, PROD, a_case, a_rollback
from tests.contract.store import raw
from tests.contract.store.raw import Hand
from tests.fakes.slack import FakeMessenger
from tests.unit.services.scene import ENTRY, Scene, a_pending

FIRST = 1  # the id of the first row in a fresh store


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def put(scene: Scene, *rows: NewOutgoing) -> None:
    async with scene.store.write() as tx:
        for row in rows:
            await tx.outbox.put(row)


async def waiting(scene: Scene) -> int:
    async with scene.store.read() as tx:
        return await tx.outbox.waiting()


async def say(scene: Scene, rollback: Rollback, name: str) -> None:
    case = await scene.case(rollback)
    await put(scene, note_row(case, NoteCode.ALERT_ADDED, {"alertname": name}, name))


def test_the_fake_is_a_messenger() -> None:
    messenger: Messenger = FakeMessenger()
    assert messenger


async def test_a_card_is_posted_once_and_its_place_is_kept(scene: Scene) -> None:
    pending = await a_pending(scene.store)

    await scene.tell()

    case = await scene.case(pending)
    assert list(scene.messenger.cards) == [(CHANNEL, case.card_ts)]
    assert scene.messenger.drawn[0].rollback_id == pending.id
    assert scene.messenger.drawn[0].to_number == 1
    assert await waiting(scene) == 0


async def test_later_cards_redraw_the_same_message(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()

    await put(scene, card_row(await scene.case(pending)))
    await scene.tell()

    assert len(scene.messenger.cards) == 1
    assert len(scene.messenger.drawn) == 2


async def test_a_card_shows_what_the_store_holds_when_it_is_sent(scene: Scene) -> None:
    pending = await a_pending(scene.store, card_ts="")
    case = await scene.case(pending)
    await put(scene, *(card_row(case, f"cause{n}") for n in range(5)))

    await scene.tell()

    assert len(scene.messenger.drawn) <= 2  # only the newest of those that wait is sent
    async with scene.store.read() as tx:
        seq, head = await tx.audit.head()
    assert (scene.messenger.drawn[-1].audit_seq, scene.messenger.drawn[-1].audit_head) == (
        seq,
        head,
    )


async def test_the_whole_difference_is_a_file_in_the_thread(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()

    (file,) = scene.messenger.files
    assert file.filename == "support-triage-v2-to-v1.diff"
    assert (file.channel, file.ts) == (CHANNEL, (await scene.case(pending)).card_ts)
    assert "Answer kindly." in file.text
    assert "Answer wrongly." in file.text


async def test_the_difference_is_attached_once(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await put(scene, snippet_row(await scene.case(pending), pending))
    await scene.tell()

    assert len(scene.messenger.files) == 1


async def test_notes_stand_in_the_thread_in_order(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    for name in ("first", "second", "third"):
        await say(scene, pending, name)

    await scene.tell()

    ts = (await scene.case(pending)).card_ts
    assert [(r.ts, r.note.facts["alertname"]) for r in scene.messenger.replies] == [
        (ts, "first"),
        (ts, "second"),
        (ts, "third"),
    ]


async def test_a_thread_gets_its_head_even_if_the_cards_row_stands_behind(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await say(scene, pending, "early")
    await put(scene, card_row(await scene.case(pending), "newer"))

    await scene.tell()

    assert len(scene.messenger.cards) == 1
    assert [r.note.facts["alertname"] for r in scene.messenger.replies] == ["early"]


async def test_slack_being_down_delays_and_loses_nothing(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await say(scene, pending, "during")
    scene.messenger.failing = [UpstreamDown("slack", "no answer") for _ in range(7)]

    await scene.tell()

    assert len(scene.messenger.cards) == 1
    assert scene.messenger.codes == ["alert_added"]
    assert await waiting(scene) == 0


async def test_a_row_that_waits_keeps_those_behind_it_waiting(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await say(scene, pending, "behind")
    scene.messenger.failing = [Throttled("slack", 30.0)]

    await scene.tell()

    assert (scene.messenger.cards, scene.messenger.replies) == ({}, [])
    assert await waiting(scene) > 0


async def test_one_case_that_waits_does_not_hold_up_answers(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    scene.messenger.failing = [Throttled("slack", 30.0)]
    await scene.deliver().step()
    await scene.command(ALICE, "help")
    await scene.judge()

    await scene.tell()

    assert [code for _, code, _ in scene.told()] == ["help"]
    assert (await scene.case(pending)).card_ts == ""


async def test_what_slack_refuses_for_good_is_dropped_and_seen_as_trouble(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    scene.messenger.failing = [UpstreamRefused("slack", "no", "msg_too_long")]
    worker = scene.deliver()
    assert await worker.step()

    assert worker.trouble == {CHANNEL: "msg_too_long"}
    assert scene.messenger.drawn == []

    await put(scene, card_row(await scene.case(pending)))
    while await worker.step():
        pass

    assert worker.trouble == {}
    assert len(scene.messenger.cards) == 1


@pytest.mark.parametrize(
    "code", ["not_in_channel", "channel_not_found", "is_archived", "missing_scope"]
)
async def test_what_a_mistake_in_slack_holds_up_is_told_in_order_once_it_is_mended(
    scene: Scene, code: str
) -> None:
    pending = await a_pending(scene.store)
    await say(scene, pending, "one")
    worker = scene.deliver()
    scene.messenger.failing = [UpstreamRefused("slack", "not so", code)] * 5
    for _ in range(3):
        assert await worker.step()
    await put(scene, card_row(await scene.case(pending)))  # the case goes on meanwhile
    await say(scene, pending, "two")
    for _ in range(2):
        assert await worker.step()

    assert worker.trouble == {CHANNEL: code}, "and /readyz names Slack as degraded"
    assert scene.messenger.drawn == []

    while await worker.step():
        pass
    assert worker.trouble == {}
    assert len(scene.messenger.cards) == 1
    assert len(scene.messenger.files) == 1
    told = [reply.note.facts["alertname"] for reply in scene.messenger.replies]
    assert told == ["one", "two"]


async def test_a_mistake_is_asked_about_ever_more_seldom_and_given_up_after_a_week(
    sqlite_url: str,
) -> None:
    hand = Hand()
    store = await open_store(sqlite_url, moves=approval.MOVES, durable=False, clock=hand)
    scene = Scene.of(store)
    try:
        await a_pending(store)
        scene.messenger.channels.clear()
        worker = scene.deliver(jitter=lambda: 1.0)
        for wait in (15, 30, 60, 120, 240, 300, 300):
            assert await worker.step()
            hand.passes(seconds=wait - 1)
            assert not await worker.step(), "it waits, and what stands behind it too"
            hand.passes(seconds=1)

        hand.passes(days=7)
        while await worker.step():
            pass
        assert await waiting(scene) == 0
        assert worker.trouble == {CHANNEL: "channel_not_found"}
    finally:
        await store.close()


@pytest.mark.parametrize("code", ["edit_window_closed", "cant_update_message"])
async def test_a_card_that_cannot_be_edited_any_more_is_posted_anew(
    scene: Scene, code: str
) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    before = await scene.case(pending)
    scene.messenger.failing = [UpstreamRefused("slack", "frozen", code)]

    await put(scene, card_row(before))
    await scene.tell()

    after = await scene.case(pending)
    assert after.card_ts != before.card_ts, "and the frozen one's buttons are out of date"
    assert (CHANNEL, after.card_ts) in scene.messenger.cards


async def test_a_refusal_without_a_code_is_named_by_its_kind(scene: Scene) -> None:
    await a_pending(scene.store)
    scene.messenger.failing = [UpstreamRefused("slack", "no")]
    worker = scene.deliver()

    await worker.step()

    assert worker.trouble == {CHANNEL: "upstream_refused"}


async def test_a_card_that_somebody_deleted_is_posted_again(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    await scene.tell()
    before = await scene.case(pending)
    scene.messenger.delete(CHANNEL, before.card_ts)

    await put(scene, card_row(before))
    await scene.tell()

    after = await scene.case(pending)
    assert after.card_ts != before.card_ts
    assert list(scene.messenger.cards) == [(CHANNEL, after.card_ts)]


async def test_a_lost_answer_of_slack_costs_one_card_more_and_never_one_less(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    scene.messenger.applies_anyway = True
    scene.messenger.failing = [UpstreamDown("slack", "connection lost")]

    await scene.tell()

    assert len(scene.messenger.cards) == 2
    assert (CHANNEL, (await scene.case(pending)).card_ts) in scene.messenger.cards


async def test_two_workers_post_one_card(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    workers = [scene.deliver(f"d{n}") for n in range(3)]

    for _ in range(4):
        await asyncio.gather(*(worker.step() for worker in workers))

    assert len(scene.messenger.cards) == 1
    assert len(scene.messenger.files) == 1
    assert (await scene.case(pending)).card_ts


async def test_a_worker_whose_row_was_taken_over_marks_nothing(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    show = scene.messenger.show

    async def overtaken(*args: object, **facts: object) -> str:
        scene.messenger.show = show  # type: ignore[method-assign]
        async with scene.store.write() as tx:
            await tx.outbox.drop(FIRST, owner="slow", error="stopped")
        return await show(*args, **facts)  # type: ignore[arg-type]

    scene.messenger.show = overtaken  # type: ignore[method-assign]
    assert await scene.deliver("slow").step()

    assert (await scene.case(pending)).card_ts == ""


async def test_a_row_about_a_case_that_is_not_there_is_dropped(scene: Scene) -> None:
    await put(scene, card_row(a_case(id=4711)), snippet_row(a_case(id=4711), a_rollback()))

    await scene.tell()

    assert await waiting(scene) == 0


async def test_a_file_name_has_no_path_in_it(scene: Scene) -> None:

    await a_pending(scene.store, where=replace(PROD, app="../../etc/x y"))
    await scene.tell()

    assert scene.messenger.files[0].filename == "etc_x_y-v2-to-v1.diff"


async def test_an_answer_about_a_card_that_does_not_stand_has_no_link(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    about = {"case_id": pending.case_id}
    to_alice: dict[str, Any] = {"channel": CHANNEL, "slack_id": ALICE}
    await scene.deliver("busy").step()
    scene.messenger.cards.clear()  # somebody has deleted it
    nowhere = replace(await scene.case(pending), card_ts="")
    await put(scene, answer_row(1, AnswerCode.OUT_OF_DATE, about, **to_alice))
    await put(scene, answer_row(2, AnswerCode.OUT_OF_DATE, {"case_id": 0}, **to_alice))
    await scene.tell()
    async with scene.store.write() as tx:
        await tx.cases.save(nowhere, was=nowhere.revision)
    await put(scene, answer_row(3, AnswerCode.OUT_OF_DATE, about, **to_alice))
    await scene.tell()

    assert [a.note.facts for a in scene.messenger.answers] == [{"permalink": ""}] * 3


async def test_an_answer_whose_address_is_used_up_goes_through_the_channel(scene: Scene) -> None:
    used_up = "https://hooks.slack.com/actions/T/1/x"
    scene.messenger.used_up.add(used_up)
    to_alice: dict[str, Any] = {"channel": CHANNEL, "slack_id": ALICE, "response_url": used_up}
    await put(scene, answer_row(1, AnswerCode.HELP, {}, **to_alice))

    await scene.tell()

    assert [(a.slack_id, a.response_url) for a in scene.messenger.answers] == [(ALICE, "")]


async def test_a_person_who_cannot_be_told_is_no_trouble_of_the_channel(scene: Scene) -> None:
    await put(scene, answer_row(1, AnswerCode.HELP, {}, channel="C0GONE", slack_id=ALICE))
    worker = scene.deliver()

    while await worker.step():
        pass

    assert worker.trouble == {}
    assert await waiting(scene) == 0


async def test_a_case_without_a_rollback_is_shown_with_its_facts(scene: Scene) -> None:
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
        await tx.outbox.put(card_row(case))

    await scene.tell()

    (card,) = scene.messenger.drawn
    assert (card.case_id, card.state, card.buttons) == (case.id, None, ())
    assert card.finding_code == "looking"


async def test_a_difference_that_votes_do_not_bind_to_is_drawn_without_a_vote(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    await a_pending(scene.store, change_digest="00" * 32)

    await scene.tell()

    shown = [button.action for button in scene.messenger.drawn[-1].buttons]
    assert shown == ["difference", "another"]
    assert "difference is not what votes bind to" in caplog.messages


async def test_differences_are_made_once_and_the_oldest_are_forgotten(scene: Scene) -> None:
    one = await a_pending(scene.store)
    other = await a_pending(scene.store, where=AppEnv("billing", "prod"))
    differences = Differences(remembered=1)

    first = await differences.of(scene.store, one.leg)
    assert await differences.of(scene.store, one.leg) is first
    await differences.of(scene.store, other.leg)

    again = await differences.of(scene.store, one.leg)
    assert again is not first
    assert again == first


async def test_an_empty_outbox_is_no_work(scene: Scene) -> None:
    assert not await scene.deliver().step()


def test_equal_facts_are_one_row_and_nameless_ones_are_each_their_own() -> None:
    case = a_case()

    assert card_row(case, "x").dedupe_id == card_row(case, "x").dedupe_id
    assert card_row(case).dedupe_id != card_row(case).dedupe_id
    assert card_row(case).kind is OutboxKind.CARD
    assert card_row(case, "x").coalesce_key == card_row(case, "y").coalesce_key
    assert card_row(case).order_key == snippet_row(case, a_rollback()).order_key


async def test_what_changes_is_drawn_once_in_the_cards_thread(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    for _ in range(2):
        await put(scene, picture_row(await scene.case(pending), pending))
    await scene.tell()

    (drawn,) = scene.messenger.pictures
    assert [box.changed for box in drawn.boxes if box.fate is Fate.CHANGED] == ["prompt"]


# -- The dialog of a difference -----------------------------------------------------------------


async def asked(scene: Scene, rollback: Rollback, *, open_now: bool = True, **more: str) -> str:
    """Let alice press the button of the difference; return the name of the dialog."""
    if open_now:
        scene.messenger.windows["difference.1"] = []
    await scene.look(ALICE, rollback, window="difference.1", **more)
    await scene.judge()
    return "difference.1"


async def test_a_difference_is_shown_in_the_dialog_that_opened_for_it(scene: Scene) -> None:
    rollback = await a_pending(scene.store)
    await scene.tell()

    window = await asked(scene, rollback)
    await scene.tell()

    (shown,) = scene.messenger.windows[window]
    assert isinstance(shown, Sheet)
    assert (shown.place, shown.total) == ((0, 0), 1)
    assert scene.messenger.answers == []


async def test_a_turned_page_is_shown_in_the_same_dialog(scene: Scene) -> None:
    rollback = await a_pending(scene.store)
    await scene.tell()

    window = await asked(scene, rollback, place="1.0")
    await scene.tell()

    (shown,) = scene.messenger.windows[window]
    assert isinstance(shown, Sheet)
    assert shown.entry is not None
    assert ["".join(r.text for r in line.runs) for line in shown.lines] == [
        "Answer wrongly.",
        "Answer kindly.",
    ]


async def test_who_may_not_see_it_reads_so_in_the_dialog(scene: Scene) -> None:
    rollback = await a_pending(scene.store)
    await scene.tell()

    window = await asked(scene, rollback, value="1.1.nonce." + "0" * 64)
    await scene.tell()

    assert [getattr(shown, "code", "") for shown in scene.messenger.windows[window]] == [
        "out_of_date"
    ]


async def test_an_answer_waits_for_its_dialog_to_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.dialogs._OPENS_SOON", timedelta())
    rollback = await a_pending(scene.store)
    await scene.tell()

    window = await asked(scene, rollback, open_now=False)
    await scene.deliver().step()
    assert (await waiting(scene), scene.messenger.answers) == (1, [])
    scene.messenger.windows[window] = []
    await scene.tell()

    assert len(scene.messenger.windows[window]) == 1


async def test_where_no_dialog_opened_the_difference_is_a_message(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.dialogs._OPENING", timedelta())
    rollback = await a_pending(scene.store)
    await scene.tell()

    await asked(scene, rollback, open_now=False)
    await scene.tell()

    assert [answer.note.code for answer in scene.messenger.answers] == ["difference"]


async def test_what_cannot_be_read_is_said_in_the_dialog_that_waits_for_it(
    scene: Scene, sqlite_url: str
) -> None:
    rollback = await a_pending(scene.store)
    await scene.tell()
    await raw.run(sqlite_url, "UPDATE part SET data = :data", data=b"not zstd")

    window = await asked(scene, rollback)
    await scene.tell()

    assert [getattr(shown, "code", "") for shown in scene.messenger.windows[window]] == ["failed"]
    assert await waiting(scene) == 0


async def test_a_page_turned_in_a_dialog_that_was_closed_is_told_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.dialogs._OPENING", timedelta())
    rollback = await a_pending(scene.store)
    await scene.tell()

    await asked(scene, rollback, open_now=False, place="1.0")
    await scene.tell()

    assert (await waiting(scene), scene.messenger.answers) == (0, [])
