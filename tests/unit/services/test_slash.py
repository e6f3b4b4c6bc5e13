"""What reads by slash command: who gets it, what it says, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.policy import Policy
from bot.errors import NoSuchApp, UpstreamDown
from bot.ports.store import Store
from store.records import AppEnv, NewVersion, VersionKind, VersionSource
from tests.builders import ALICE, BOB, CAROL, DAVE, PROD, REVIEWERS
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_document, a_history, a_pending
from tests.unit.services.test_decide_commands import said

BILLING = AppEnv("billing", "prod")
SECRET = AppEnv("support-triage", "vault")
EVE = "U0EVE000001"


@pytest.fixture
async def scene(sqlite_store: Store) -> Scene:
    scene = Scene.of(sqlite_store)
    await a_history(scene.store)
    return scene


async def told(scene: Scene, who: str, text: str, **changes: Any) -> list[dict[str, Any]]:
    """All answers to what *who* typed; *changes* are for the worker that judges."""
    before = len(scene.messenger.answers)
    await scene.command(who, text)
    await scene.judge(**changes)
    await scene.tell()
    return [
        {"code": answer.note.code, **answer.note.facts}
        for answer in scene.messenger.answers[before:]
    ]


async def publish(store: Store, prompt: str) -> None:
    """Record one more version of the app."""
    async with store.write() as tx:
        newest = await tx.versions.newest(PROD)
        assert newest is not None
        name = f"live-{(newest.number or 0) + 1}"
        new = NewVersion(
            where=PROD,
            kind=VersionKind.PUBLISHED,
            source=VersionSource.PUBLISHED,
            external_id=name,
            external_hash=name,
            published_at=newest.published_at + timedelta(seconds=1),
            author="carol",
        )
        await tx.versions.record(new, a_document(prompt))


# -- log ------------------------------------------------------------------------------------------


async def test_log_tells_the_newest_first_and_what_came_with_it(scene: Scene) -> None:
    answer = await said(scene, ALICE, "log support-triage@prod")

    newest, oldest = answer["rows"]
    assert (newest["number"], newest["live"], newest["counts"]) == (2, True, {"prompt": 1})
    assert (oldest["number"], oldest["live"], oldest["counts"]) == (1, False, None)


async def test_a_long_history_comes_in_pages(scene: Scene) -> None:
    for number in range(3, 12):
        await publish(scene.store, f"Prompt {number}.")

    first = await said(scene, ALICE, "log support-triage@prod")
    second = await said(scene, ALICE, "log support-triage@prod 2")

    assert [row["number"] for row in first["rows"]] == [11, 10, 9, 8, 7, 6, 5, 4]
    assert [row["number"] for row in second["rows"]] == [3, 2, 1]
    assert (second["page"], second["pages"]) == (2, 2)


async def test_a_page_that_is_not_there_is_answered_with_the_last_one(scene: Scene) -> None:
    answer = await said(scene, ALICE, "log support-triage@prod 2")

    assert "`/rollback log support-triage@prod 1`" in answer["text"]


async def test_an_app_without_history_is_answered_with_how_to_read_it(scene: Scene) -> None:
    (answer,) = await told(scene, ALICE, "log billing@prod", channels={BILLING: "C0BILLING01"})

    assert "`/rollback snapshot billing@prod`" in answer["text"]


# -- diff -----------------------------------------------------------------------------------------


async def test_diff_goes_from_the_first_to_live(scene: Scene) -> None:
    answer = await said(scene, ALICE, "diff support-triage@prod v1")

    assert (answer["old"], answer["new"], answer["left"]) == (1, 2, 0)
    assert "- Answer kindly." in answer["lines"]
    assert "+ Answer wrongly." in answer["lines"]


async def test_the_same_version_twice_has_no_lines(scene: Scene) -> None:
    assert (await said(scene, ALICE, "diff support-triage@prod 2 live"))["lines"] == []


async def test_a_long_difference_comes_in_pages(scene: Scene) -> None:
    await publish(scene.store, "\n".join(f"Rule {n}." for n in range(100)))

    first = await said(scene, ALICE, "diff support-triage@prod 1 3")
    rest = await said(scene, ALICE, f"diff support-triage@prod 1 3 page {first['pages']}")
    beyond = await said(scene, ALICE, "diff support-triage@prod 1 3 page 99")

    assert (len(first["lines"]), first["left"] > 60, rest["left"]) == (40, True, 0)
    assert "+ Rule 99." in rest["lines"]
    assert f"`/rollback diff support-triage@prod 1 3 page {first['pages']}`" in beyond["text"]


async def test_a_version_out_of_range_is_answered_with_the_newest(scene: Scene) -> None:
    answer = await said(scene, ALICE, "diff support-triage@prod 9")

    assert "The newest one is 2" in answer["text"]


# -- audit ----------------------------------------------------------------------------------------


async def test_the_pages_of_the_audit_chain_are_as_many_as_are_shown(scene: Scene) -> None:
    """Turning pages is not recorded: it would make the page that it said is not there."""
    entry = replace(ENTRY, resource=f"app/{PROD}")
    async with scene.store.write() as tx:
        await tx.audit.append_many([entry] * 16)

    (none,) = await told(scene, ALICE, f"audit {PROD} 3")
    pages = [(await told(scene, ALICE, f"audit {PROD} {number}"))[0] for number in (1, 2)]

    assert "only 2 pages" in none["text"]
    assert [(page["page"], page["pages"], len(page["rows"])) for page in pages] == [
        (1, 2, 8),
        (2, 2, 8),
    ]
    numbers = [row["seq"] for page in pages for row in page["rows"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 16


# -- who ------------------------------------------------------------------------------------------


async def test_who_expands_groups_and_names_those_who_cannot_vote(scene: Scene) -> None:
    scene.directory.change(CAROL, deleted=True)

    answer = await said(scene, ALICE, "who support-triage@prod")

    assert (answer["voters"], answer["people"]) == ([ALICE, BOB], 2)
    assert answer["barred"] == [{"slack_id": CAROL, "why": "deleted"}]
    assert answer["askers"] == [DAVE]
    assert (answer["you_may_vote"], answer["you_may_ask"]) == (True, True)


async def test_two_accounts_of_one_human_are_one_vote(scene: Scene) -> None:
    scene.directory.persons = {BOB: ALICE}

    assert (await said(scene, DAVE, "who support-triage@prod"))["people"] == 2


async def test_who_says_from_which_risk_on_more_votes_are_needed(scene: Scene) -> None:
    by_risk = {"critical": 4, "low": 1, "high": 3, "medium": 3}
    rules = Policy(reviewers=(ALICE,), named=True, votes_by_risk=by_risk)

    (answer,) = await told(scene, ALICE, "who support-triage@prod", policy_of=lambda _: rules)

    assert answer["by_risk"] == [
        {"risk": "medium", "votes": 3},
        {"risk": "critical", "votes": 4},
    ]


async def test_who_says_who_may_break_the_glass_and_whether_you_may(scene: Scene) -> None:
    rules = replace(POLICY, break_glass=(DAVE,))
    asked = "who support-triage@prod"
    (named,) = await told(scene, DAVE, asked, policy_of=lambda _: rules)
    (other,) = await told(scene, ALICE, asked, policy_of=lambda _: rules)

    assert (named["breakers"], named["you_may_break"]) == ([DAVE], True)
    assert (other["breakers"], other["you_may_break"]) == ([DAVE], False)
    assert (await said(scene, DAVE, asked))["breakers"] == []


async def test_a_requester_may_ask_and_not_vote(scene: Scene) -> None:
    answer = await said(scene, DAVE, "who support-triage@prod")

    assert (answer["you_may_vote"], answer["you_may_ask"]) == (False, True)


async def test_without_a_policy_nobody_may_vote(scene: Scene) -> None:
    (answer,) = await told(scene, ALICE, "who support-triage@prod", policy_of=lambda _: Policy())

    assert (answer["named"], answer["voters"], answer["you_may_vote"]) == (False, [], False)


async def test_a_group_that_slack_does_not_know_is_named(scene: Scene) -> None:
    policy = Policy(reviewers=(ALICE, "S0GONE00001"), named=True)
    (answer,) = await told(scene, ALICE, "who support-triage@prod", policy_of=lambda _: policy)

    assert (answer["voters"], answer["unknown_groups"]) == ([ALICE], ["S0GONE00001"])


async def test_in_a_shared_channel_nobody_may_vote(scene: Scene) -> None:
    scene.directory.shared.add("C0SHARED001")
    (answer,) = await told(scene, ALICE, "who support-triage@prod", channels={PROD: "C0SHARED001"})

    assert (answer["shared"], answer["you_may_vote"], answer["you_may_ask"]) == (
        True,
        False,
        False,
    )


# -- snapshot -------------------------------------------------------------------------------------


async def test_a_snapshot_is_recorded_then_read_then_told(scene: Scene) -> None:
    begun, taken = await told(scene, ALICE, "snapshot support-triage@prod")

    assert (begun["code"], begun["where"]) == ("snapshot_begun", "support-triage@prod")
    assert [(row["was"], row["newest"]) for row in taken["rows"]] == [("read", 2)]
    assert scene.refreshed.calls == [PROD]
    (entry,) = await scene.entries("snapshot.ask")
    assert (entry.user_id, entry.status) == (ALICE, "ok")
    assert entry.what["apps"] == ["support-triage@prod"]


async def test_one_dify_that_is_down_holds_up_no_other_app(scene: Scene) -> None:
    scene.refreshed.failing[PROD] = UpstreamDown("dify.prod", "no answer")
    scene.refreshed.failing[BILLING] = NoSuchApp("dify.prod", "404")
    known = {PROD: "C1", BILLING: "C1", SECRET: "C1"}

    _, taken = await told(scene, ALICE, "snapshot", channels=known)

    assert [(row["where"], row["was"]) for row in taken["rows"]] == [
        ("billing@prod", "refused"),
        ("support-triage@prod", "down"),
        ("support-triage@vault", "read"),
    ]


async def test_what_takes_too_long_is_left_to_the_clock(scene: Scene) -> None:
    scene.refreshed.hanging = True

    _, taken = await told(scene, ALICE, "snapshot", lease=timedelta())

    assert [row["was"] for row in taken["rows"]] == ["late"]


async def test_an_app_that_is_watched_no_more_is_not_read(scene: Scene) -> None:
    _, taken = await told(scene, ALICE, "snapshot support-triage@prod", channels={})

    assert [row["was"] for row in taken["rows"]] == ["not_watched"]
    assert scene.refreshed.calls == []


# -- who may see ----------------------------------------------------------------------------------

CLOSED = Policy(reviewers=(BOB,), named=True)


def closed_vault(where: AppEnv) -> Policy:
    return CLOSED if where.env == "vault" else POLICY


@pytest.mark.parametrize("form", ["log {}", "diff {} 1", "who {}", "snapshot {}", "to {} 1"])
async def test_an_app_that_one_may_not_see_is_unknown_and_the_refusal_recorded(
    scene: Scene, form: str
) -> None:
    await a_history(scene.store, SECRET)
    (hidden,) = await told(scene, ALICE, form.format(SECRET), policy_of=closed_vault)
    (absent,) = await told(
        scene, ALICE, form.format("support-triage@vaulx"), policy_of=closed_vault
    )

    assert hidden["text"].replace("vault", "vaulx") == absent["text"]
    assert (scene.ask.calls, scene.refreshed.calls) == ([], [])
    refused = [e for e in await scene.entries("") if e.status == "refused"]
    assert [entry.what["code"] for entry in refused] == ["hidden_app", "unknown_app"]


async def test_no_suggestion_names_an_app_that_one_may_not_see(scene: Scene) -> None:
    await a_history(scene.store, SECRET)
    scene.directory.add(EVE)
    only_bob = {"policy_of": lambda _: CLOSED}

    answers = [
        *await told(scene, EVE, "log support-triage@vaul", **only_bob),
        *await told(scene, EVE, "log support-triage", **only_bob),
        *await told(scene, EVE, "snapshot", **only_bob),
        *await told(scene, EVE, "status", **only_bob),
    ]

    assert all("support-triage@vault" not in str(answer) for answer in answers)
    assert all("support-triage@prod" not in str(answer) for answer in answers)


async def test_a_mistyped_group_of_one_environment_closes_no_other(scene: Scene) -> None:
    await a_history(scene.store, SECRET)
    broken = Policy(reviewers=("S0GONE00001",), named=True)

    def policy_of(where: AppEnv) -> Policy:
        return broken if where.env == "vault" else POLICY

    (answer,) = await told(scene, ALICE, "status", policy_of=policy_of)

    assert [row["where"] for row in answer["rows"]] == ["support-triage@prod"]


async def test_guests_read_nothing(scene: Scene) -> None:
    scene.directory.change(ALICE, guest=True)

    assert (await said(scene, ALICE, "log support-triage@prod"))["code"] == "refused"


async def test_the_letters_of_an_app_need_not_be_right(scene: Scene) -> None:
    assert (await said(scene, ALICE, "log Support-Triage@PROD"))["where"] == "support-triage@prod"


async def test_a_form_names_an_app_of_theirs(scene: Scene) -> None:
    assert "`/rollback to support-triage@prod 5`" in (await said(scene, ALICE, "to nope 5"))["text"]


async def test_an_open_rollback_is_linked_only_for_viewers(scene: Scene) -> None:
    await a_pending(scene.store, where=SECRET)

    (answer,) = await told(scene, ALICE, "status", policy_of=closed_vault)

    assert [row["where"] for row in answer["rows"]] == ["support-triage@prod"]
    assert REVIEWERS not in str(answer)
