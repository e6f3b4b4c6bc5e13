"""Looking at versions in a dialog, and asking for one of them: who may, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import button
from bot.domain.choices import Choices
from bot.domain.policy import Policy
from bot.domain.words import OutcomeCode
from bot.errors import CondemnedHere, NotAllowed, UnknownApp
from bot.ports.people import Note
from bot.ports.store import Store
from bot.services.asker import Reception
from bot.services.choices import MOST, Apps, choices
from bot.services.outgoing import card_row
from bot.services.sight import Sight
from store.records import AppEnv, CaseState, Finding, InboxKind, Rollback, State
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, PROD, REVIEWERS, TEAM
from tests.unit.services.execution_scene import BAD, EDIT, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_history, a_pending
from tests.unit.services.test_slash import publish

HIDDEN = AppEnv("support-triage", "vault")
WINDOW = "choose.d1"


@pytest.fixture
def scene(sqlite_store: Store) -> Scene:
    return Scene.of(sqlite_store)


async def pick(scene: Scene, who: str, where: str, page: int = 1, **changes: Any) -> Any:
    """What the dialog before *who* shows after they chose *where*."""
    scene.messenger.windows.setdefault(WINDOW, [])
    facts = {"value": "", "channel": CHANNEL, "ts": "", "response_url": "", "window": WINDOW}
    more = {"where": where, "place": str(page)}
    await scene.put(InboxKind.CLICK, "choose", who, **{**facts, **more})
    await scene.judge(**changes)
    await scene.tell()
    return scene.messenger.windows[WINDOW][-1]


async def press(scene: Scene, who: str, value: str, **changes: Any) -> Any:
    """What the dialog shows after *who* pressed *Another version* on the card."""
    scene.messenger.windows[WINDOW] = []
    ((channel, ts),) = scene.messenger.cards
    facts = {"value": value, "channel": channel, "ts": ts, "response_url": ""}
    where = {name: changes.pop(name) for name in ("ts",) if name in changes}
    await scene.put(InboxKind.CLICK, "another", who, **{**facts, "window": WINDOW, **where})
    await scene.judge(**changes)
    await scene.tell()
    return scene.messenger.windows[WINDOW][-1]


async def send(scene: Scene, who: str, number: int, reason: str = "", **changes: Any) -> None:
    facts = {"value": "", "channel": CHANNEL, "ts": "", "response_url": ""}
    more = {"where": str(PROD), "number": str(number), "reason": reason}
    await scene.put(InboxKind.COMMAND, "choose", who, **{**facts, **more})
    await scene.judge(**changes)
    await scene.tell()


# -- which apps -----------------------------------------------------------------------------------


def finder(scene: Scene, watched: list[AppEnv]) -> Apps:
    seen = Policy(reviewers=(REVIEWERS,), viewers=(DAVE,), named=True)
    vault = Policy(reviewers=(CAROL,), named=True)
    sight = Sight(
        scene.store,
        scene.directory,
        watched=watched,
        policy_of=lambda where: vault if where == HIDDEN else seen,
    )
    return Apps(Reception(scene.directory), sight)


async def test_only_apps_that_one_may_see_are_offered(scene: Scene) -> None:
    apps = finder(scene, [PROD, HIDDEN])

    assert await apps(DAVE, TEAM, "") == [PROD]
    assert await apps(CAROL, TEAM, "TRIAGE") == [PROD, HIDDEN]
    assert await apps("U0NOBODY01", TEAM, "") == []


async def test_of_a_thousand_apps_those_that_begin_so_come_first(scene: Scene) -> None:
    apps = finder(scene, [AppEnv(f"app-{number}", "prod") for number in range(1_000)])

    found = await apps(DAVE, TEAM, "p-99")
    begins = await apps(DAVE, TEAM, "app-99")

    assert [str(where) for where in found][:2] == ["app-99@prod", "app-990@prod"]
    assert begins[0] == AppEnv("app-99", "prod")
    assert len(await apps(DAVE, TEAM, "")) == MOST


async def test_each_letter_does_not_ask_slack_again(scene: Scene) -> None:
    apps = finder(scene, [PROD])

    await apps(DAVE, TEAM, "")
    once = scene.directory.asked
    for typed in ("s", "su", "sup"):
        await apps(DAVE, TEAM, typed)

    assert scene.directory.asked == once
    await apps(ALICE, TEAM, "")
    assert scene.directory.asked == 2 * once


# -- which versions -------------------------------------------------------------------------------


async def test_versions_come_newest_first_without_live_and_its_content(scene: Scene) -> None:
    await a_history(scene.store)
    for prompt in ("Answer in rhyme.", "Answer kindly.", "Answer wrongly."):
        await publish(scene.store, prompt)
    async with scene.store.write() as tx:
        (rhyme,) = [v for v in await tx.versions.history(PROD) if v.number == 3]
        await tx.tags.put(rhyme, "poet", entry=ENTRY)
        await tx.versions.condemn(PROD, rhyme.meaning, rollback_id=None, entry=ENTRY)

    shown = await choices(scene.store, PROD, 1)

    assert (shown.live.number, shown.pages, shown.as_live) == (5, 1, (2,))
    assert [one.number for one in shown.offered] == [4, 3, 1]
    poet = shown.offered[1]
    assert (poet.tags, poet.condemned, poet.takes_reason) == (("poet",), True, True)
    assert poet.counts == {"prompt": 1}


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1, 1), (2, 2), (9, 2)])
async def test_a_page_that_is_not_there_is_the_nearest(
    scene: Scene, asked: int, given: int
) -> None:
    await a_history(scene.store)
    for number in range(3, 12):
        await publish(scene.store, f"Prompt {number}.")

    shown = await choices(scene.store, PROD, asked)

    assert (shown.page, shown.pages) == (given, 2)


async def test_the_dialog_shows_the_versions_of_the_app_that_was_picked(scene: Scene) -> None:
    await a_history(scene.store)

    shown = await pick(scene, DAVE, str(PROD).upper())

    assert isinstance(shown, Choices)
    assert (shown.where, [one.number for one in shown.offered]) == (str(PROD), [1])
    assert await scene.entries("history.") == []


async def test_an_app_that_one_may_not_see_is_as_if_it_were_not_there(scene: Scene) -> None:
    await a_history(scene.store)
    other = Policy(reviewers=(ALICE,), named=True)

    shown = await pick(scene, DAVE, str(PROD), policy_of=lambda _: other)

    assert isinstance(shown, Note)
    assert shown.facts["text"] == UnknownApp(str(PROD)).to_person()
    (entry,) = await scene.entries("history.")
    assert (entry.user_id, entry.status) == (DAVE, "refused")


async def test_an_app_without_versions_says_so_in_the_dialog(scene: Scene) -> None:
    shown = await pick(scene, DAVE, str(PROD))

    assert isinstance(shown, Note)
    assert "Nothing of" in shown.facts["text"]


async def test_a_dialog_that_was_closed_is_told_nothing_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.services.dialogs._OPENING", timedelta())
    await a_history(scene.store)
    facts = {"value": "", "channel": CHANNEL, "ts": "", "response_url": ""}
    look = {"window": "choose.closed", "where": str(PROD), "place": "1"}
    await scene.put(InboxKind.CLICK, "choose", DAVE, **{**facts, **look})

    await scene.judge()
    await scene.tell()

    assert scene.messenger.answers == []
    async with scene.store.read() as tx:
        assert await tx.outbox.waiting() == 0


# -- the button of a card -------------------------------------------------------------------------


async def card(scene: Scene, action: str = "another") -> str:
    """The value of the button on the newest drawing of the card."""
    await scene.tell()
    (found,) = [b.value for b in scene.messenger.drawn[-1].buttons if b.action == action]
    return found


async def test_who_may_ask_sees_the_versions_of_the_cards_app(scene: Scene) -> None:
    await a_pending(scene.store)
    value = await card(scene)

    shown = await press(scene, DAVE, value)

    assert isinstance(shown, Choices)
    assert (shown.where, shown.live.number) == (str(PROD), 2)


async def test_who_may_only_look_is_told_why_not(scene: Scene) -> None:
    await a_pending(scene.store)
    value = await card(scene)
    rules = replace(POLICY, requesters=(), viewers=(DAVE,))

    shown = await press(scene, DAVE, value, policy_of=lambda _: rules)

    assert isinstance(shown, Note)
    assert shown.facts["text"] == NotAllowed("").to_person()
    (entry,) = await scene.entries("rollback.ask")
    assert (entry.user_id, entry.status) == (DAVE, "refused")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1] + ("0" if value[-1] != "0" else "1"),
        lambda _: "1.1.x." + "0" * 64,
        lambda _: "case.1." + "0" * 64,
        lambda _: "case.99." + "0" * 64,
        lambda _: "nothing of ours",
    ],
)
async def test_a_button_that_is_not_ours_shows_nothing(scene: Scene, spoil: Any) -> None:
    await a_pending(scene.store)
    value = await card(scene)

    shown = await press(scene, DAVE, spoil(value))

    assert isinstance(shown, Note)
    assert shown.code == "out_of_date"


async def test_a_button_of_a_card_that_moved_on_is_out_of_date(scene: Scene) -> None:
    pending = await a_pending(scene.store)
    value = await card(scene)
    await scene.reject(ALICE, pending)
    await scene.judge()

    shown = await press(scene, DAVE, value)

    assert isinstance(shown, Note)
    assert (shown.code, bool(shown.facts["permalink"])) == ("out_of_date", True)


async def test_a_second_copy_of_the_card_leads_to_the_right_one(scene: Scene) -> None:
    await a_pending(scene.store)
    value = await card(scene)

    shown = await press(scene, DAVE, value, ts="1764000000.999999")

    assert isinstance(shown, Note)
    assert shown.code == "out_of_date"
    assert shown.facts["permalink"].endswith("p1764000000000001")


async def a_silent_card(scene: Scene, code: str = "no_change") -> str:
    """A card that suggests nothing, where there are two versions; its button's value."""
    await a_history(scene.store)
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
        facts = {"newest": 2, "newest_at": "2026-11-24T11:50:00Z"}
        found = replace(case, finding=Finding(code, facts))
        case = await tx.cases.save(found, was=case.revision)
        await tx.outbox.put(card_row(case))
    return await card(scene)


async def test_a_card_that_suggests_nothing_lets_people_choose(scene: Scene) -> None:
    value = await a_silent_card(scene)

    shown = await press(scene, DAVE, value)

    assert isinstance(shown, Choices)
    assert button.case_in(value) == 1


async def test_of_a_case_that_is_closed_the_button_is_out_of_date(scene: Scene) -> None:
    value = await a_silent_card(scene)
    async with scene.store.write() as tx:
        case = await tx.cases.get(1, lock=True)
        closed = replace(case, state=CaseState.CLOSED, closed_at=await tx.now())
        await tx.cases.save(closed, was=case.revision)

    shown = await press(scene, DAVE, value)

    assert isinstance(shown, Note)
    assert shown.code == "out_of_date"


@pytest.mark.parametrize("code", ["looking", "no_history", "shared_channel", "frozen", "by_hand"])
async def test_where_nobody_could_ask_there_is_no_button(scene: Scene, code: str) -> None:
    facts = {"until": "2026-11-24T11:50:00Z", "suspect": 2, "candidate": 1, "live_id": 2}
    await a_history(scene.store)
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
        found = replace(case, finding=Finding(code, facts))
        case = await tx.cases.save(found, was=case.revision)
        await tx.outbox.put(card_row(case))
    await scene.tell()

    assert scene.messenger.drawn[-1].buttons == ()


def test_a_button_of_a_case_is_signed_for_its_action_and_its_app(scene: Scene) -> None:
    assert button.case_in("case.0." + "0" * 64) is None
    assert button.case_in("case.1.xyz") is None


# -- what is sent ---------------------------------------------------------------------------------


@pytest.fixture
def real(sqlite_store: Store) -> ExecutionScene:
    """The use case that really opens rollbacks, with three versions."""
    scene = ExecutionScene.of(sqlite_store)
    scene.publish(EDIT, GOOD, BAD)
    return scene


async def sent(scene: ExecutionScene, who: str, number: int, reason: str = "") -> None:
    await send(
        *(scene, who, number, reason),
        ask=scene.propose.requested,
        policy_of=lambda where: scene.policies[where.env],
    )


async def everything(scene: Scene) -> list[Rollback]:
    async with scene.store.read() as tx:
        return await tx.rollbacks.newest()


async def test_what_is_sent_opens_a_rollback_as_the_words_do(real: ExecutionScene) -> None:
    await sent(real, DAVE, 2, "it was better")

    (asked,) = await everything(real)
    assert (asked.state, asked.requested_by) == (State.PENDING_APPROVAL, DAVE)
    assert asked.reason == "it was better"
    assert real.told()[-1][1] == "asked"


async def test_another_version_takes_the_place_of_what_was_open(real: ExecutionScene) -> None:
    await sent(real, ALICE, 2)
    await sent(real, DAVE, 1)

    newest, before = await everything(real)
    assert (before.state, before.outcome) == (State.SUPERSEDED, OutcomeCode.OTHER_VERSION)
    assert (newest.state, newest.requested_by) == (State.PENDING_APPROVAL, DAVE)


async def test_what_is_refused_is_said_and_recorded(real: ExecutionScene) -> None:
    await real.snapshot.refresh(PROD)
    async with real.store.write() as tx:
        (old,) = [v for v in await tx.versions.history(PROD) if v.number == 1]
        await tx.versions.condemn(PROD, old.meaning, rollback_id=None, entry=ENTRY)

    await sent(real, DAVE, 1)
    await sent(real, BOB, 3)

    said = [text for _, _, text in real.told()]
    assert said[0] == CondemnedHere(str(PROD), 1).to_person()
    assert "live already" in said[1]
    entries = await real.entries("rollback.ask")
    assert [(entry.user_id, entry.status) for entry in entries] == [
        (DAVE, "refused"),
        (BOB, "refused"),
    ]
    assert await everything(real) == []


async def test_while_slack_does_not_say_who_it_is_it_waits(scene: Scene) -> None:
    await a_history(scene.store)
    scene.directory.down = True
    facts = {"value": "", "channel": CHANNEL, "ts": "", "response_url": ""}
    look = {"window": WINDOW, "where": str(PROD), "place": "1"}
    await scene.put(InboxKind.CLICK, "choose", DAVE, **{**facts, **look})

    assert await scene.decide().step()

    async with scene.store.read() as tx:
        assert await tx.outbox.waiting() == 0


@pytest.mark.parametrize(
    "spoilt", [{"number": "x"}, {"number": ""}, {"where": "nothing"}, {"number": "1" * 12}]
)
async def test_a_row_that_is_not_of_our_form_changes_nothing(
    scene: Scene, spoilt: dict[str, str]
) -> None:
    facts = {"value": "", "channel": CHANNEL, "ts": "", "response_url": "", "reason": ""}
    more = {"where": str(PROD), "number": "1", **spoilt}
    await scene.put(InboxKind.COMMAND, "choose", DAVE, **{**facts, **more})

    await scene.judge()

    assert (scene.ask.calls, scene.messenger.answers) == ([], [])
