"""The card, as it stands in Slack in each state of a case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain import approval
from bot.domain.card import CardAlert, CardButton, CardGlass, CardLeg, CardView, CardVote
from bot.domain.diff.kinds import ChangeKind
from bot.domain.words import FindingCode
from bot.render import BrokenBlocks, card, form_view
from store.records import Choice, State
from tests.builders import NOON
from tests.cards import (
    ALICE,
    BOB,
    REVIEWERS,
    a_change,
    a_view,
    actions,
    an_impact,
    both_approved,
    everything,
    facts_only,
    header,
    literal_texts,
    objects,
    sound,
)

HEADERS = {
    State.DRAFT: "Rollback proposed: support-triage@prod v7 → v6",
    State.PENDING_APPROVAL: "Rollback proposed: support-triage@prod v7 → v6",
    State.APPROVED: "Rollback approved: support-triage@prod v7 → v6",
    State.BROKEN_GLASS: "Glass broken: support-triage@prod v7 → v6",
    State.EXECUTING: "Rolling back support-triage@prod v7 → v6",
    State.VERIFYING: "Rolling back support-triage@prod v7 → v6",
    State.COMPLETED: "Rolled back support-triage@prod v7 → v6",
    State.REJECTED: "Rollback rejected: support-triage@prod v7 → v6",
    State.EXPIRED: "Rollback expired: support-triage@prod v7 → v6",
    State.WITHDRAWN: "Rollback withdrawn: support-triage@prod v7 → v6",
    State.SUPERSEDED: "Rollback superseded: support-triage@prod v7 → v6",
    State.FAILED: "Rollback failed: support-triage@prod v7 → v6",
    State.NEEDS_ATTENTION: "Needs attention: support-triage@prod v7 → v6",
}

APPS_THAT_TURNED = {"code": "turned_too", "apps": [f"{'app ' * 40}{n}" for n in range(20)]}


def shown(view: CardView) -> str:
    return everything(sound(card(view)))


@pytest.mark.parametrize("state", State)
def test_the_header_and_the_notification_say_where_it_stands(state: State) -> None:
    message = sound(card(a_view(state)))

    assert header(message) == HEADERS[state]
    assert message.text.startswith(HEADERS[state])
    assert "\n" not in message.text


@pytest.mark.parametrize("state", [None, *State])
def test_no_two_blocks_share_an_id_and_ids_tell_round_and_state(state: State | None) -> None:
    first = card(a_view(state)) if state else card(facts_only())
    ids = [block["block_id"] for block in first.blocks]
    later = card(a_view(state, round=2)) if state else card(facts_only(finding_code="no_history"))

    assert len(set(ids)) == len(ids)
    assert not set(ids) & {block["block_id"] for block in later.blocks}


def test_a_case_without_a_rollback_shows_the_facts_and_no_button() -> None:
    message = sound(card(facts_only()))

    assert header(message) == "Alert on support-triage@prod: no rollback suggested"
    assert message.text.startswith("Alert on support-triage@prod: no rollback suggested")
    assert "`TriageWrong` critical `ab12cd34ef56ab78` since <!date^" in everything(message)
    assert actions(message) == []


def test_a_case_that_is_still_looked_at_says_so() -> None:
    message = sound(card(facts_only(finding_code=FindingCode.LOOKING, finding_facts={})))

    assert header(message) == "Alert on support-triage@prod: looking for the change"


def test_the_reason_line_stands_right_below_the_header() -> None:
    reason = card(a_view()).blocks[1]["text"]["text"]

    assert reason.startswith("Version 7 was published <!date^")
    assert "4 minutes before the trouble began" in reason


def test_a_pending_card_says_who_asked_until_when_and_how_many_approved() -> None:
    text = shown(a_view())

    assert "*Asked by*\nKeyturn, because of the alert" in text
    assert "*Expires*\n<!date^1795523400^" in text
    assert f"*Approvals* 1 of 2\n<@{ALICE}> <!date^1795521600^{{time}}|12:00 UTC>" in text
    assert f"2 approvals needed from <!subteam^{REVIEWERS}>" in text


def test_the_requester_is_named_and_kept_out_of_the_keys() -> None:
    text = shown(a_view(requested_slack_id=BOB, reason="the answers are wrong"))

    assert f"*Asked by*\n<@{BOB}>" in text
    assert ", not from who asked" in text
    assert "Why: the answers are wrong" in text


def test_a_void_vote_is_shown_and_not_counted() -> None:
    votes = (CardVote(ALICE, Choice.APPROVE, NOON, void=True, void_why="not_reviewer"),)

    text = shown(a_view(votes=votes))

    assert "*Approvals* 0 of 2" in text
    assert "(no longer counts)" in text


@pytest.mark.parametrize("missing", [{"policy_named": False}, {"reviewers": ()}])
def test_without_reviewers_the_card_says_that_nobody_may_approve(missing: dict[str, Any]) -> None:
    text = shown(a_view(**missing))

    assert "Nobody may approve yet: name reviewers in `[policy.prod]`" in text
    assert "needed from" not in text


def test_the_buttons_carry_their_values_and_the_approval_asks_again() -> None:
    approve, reject, difference = actions(sound(card(a_view())))

    assert [b["action_id"] for b in (approve, reject, difference)] == [
        "rollback.approve",
        "rollback.reject",
        "rollback.difference",
    ]
    assert {b["value"] for b in (approve, reject, difference)} == {f"17.1.n0nce.{'0' * 64}"}
    assert (approve["style"], reject["style"]) == ("primary", "danger")
    asked = approve["confirm"]["text"]["text"]
    assert "App support-triage, environment prod: version 7 goes back to version 6" in asked


def test_an_approved_card_says_that_it_waits_and_can_be_stopped() -> None:
    message = card(both_approved(State.APPROVED, buttons=a_view().buttons))

    assert [b["action_id"] for b in actions(message)] == ["rollback.reject", "rollback.difference"]
    text = everything(sound(message))
    assert f"Approved by <@{ALICE}> + <@{BOB}>. It starts as soon as it can" in text
    assert "Rolling back now" not in text
    assert "*Expires*" in text


@pytest.mark.parametrize("state", [s for s in State if s not in approval.NOT_STARTED])
def test_past_voting_a_card_has_no_vote_to_press(state: State) -> None:
    buttons = actions(card(a_view(state, buttons=a_view().buttons)))

    assert [b["action_id"] for b in buttons] == ["rollback.difference"]


def test_a_completed_card_names_who_turned_the_keys_and_how_long_it_took() -> None:
    text = shown(both_approved(State.COMPLETED, seconds=3.21))

    assert f":white_check_mark: Rolled back by <@{ALICE}> + <@{BOB}> in 3.2 s" in text
    assert "The editors' draft is back as it was." in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (130, "2 min 10 s")],
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert f" in {said}. " in shown(both_approved(State.COMPLETED, seconds=seconds))


def test_a_card_without_a_time_to_tell_names_only_the_people() -> None:
    assert f"Rolled back by <@{ALICE}> + <@{BOB}>. " in shown(both_approved(State.COMPLETED))


def test_a_rejected_card_gives_the_reason() -> None:
    assert f":x: Rejected by <@{BOB}>: the fix is on its way" in shown(a_view(State.REJECTED))


def test_the_card_says_when_the_secrets_will_be_those_of_the_draft() -> None:
    one = shown(a_view(secrets_kept=("API_KEY",), secrets_of_draft=True))
    many = shown(a_view(secrets_kept=("A", "B"), secrets_of_draft=True))

    assert "`API_KEY` takes the value of the editors' draft" in one
    assert "could not compare with live" in one
    assert "`A`, `B` take the values of the editors' draft" in many
    assert "live now" not in one + many


def test_the_card_says_when_the_version_is_in_our_store_alone() -> None:
    said = "Version 6 was deleted in Dify; it is restored from Keyturn's store."
    assert said in shown(a_view(restored=True))
    assert "deleted" not in shown(a_view())


def test_the_card_of_an_app_without_versions_says_what_cannot_be_prevented() -> None:
    pending, done = shown(a_view(at_once=True)), shown(a_view(at_once=True, state=State.COMPLETED))

    assert "takes effect at once" in pending
    assert "save in its last second would be overwritten unnoticed" in pending
    assert "Version 7, live now, stays in Keyturn's store" in pending
    assert "Version 7, live before, stays in Keyturn's store" in done
    assert "at once" not in shown(a_view())


def test_the_card_says_which_secrets_will_be_in_force() -> None:
    one = shown(a_view(secrets_from_version=("SMTP_PASSWORD",)))
    many = shown(a_view(secrets_kept=("A", "B"), secrets_from_version=("C", "D")))

    assert "`HELPDESK_API_KEY` keeps the value that is live now." in one
    assert "`SMTP_PASSWORD` takes version 6's own value." in one
    assert "`A`, `B` keep the values that are live now." in many
    assert "`C`, `D` take version 6's own values." in many


def test_a_change_is_shown_in_words_with_both_sides() -> None:
    texts = literal_texts(sound(card(a_view())))

    assert texts[texts.index("Triage") - 1 :][:4] == [
        "Prompt changed: ",
        "Triage",
        " · prompt 1",
        "\nbe brief → be kind",
    ]


@pytest.mark.parametrize("kind", [k for k in ChangeKind if k is not ChangeKind.OTHER])
def test_every_kind_of_change_has_a_name(kind: ChangeKind) -> None:
    assert "Setting changed: " not in shown(a_view(changes=(a_change(kind=kind.value),)))


def test_a_change_with_one_side_shows_that_side() -> None:
    assert "\nbe kind" in literal_texts(card(a_view(changes=(a_change(before=""),))))


def test_what_comes_later_is_shown_when_it_is_there() -> None:
    text = shown(a_view(lost="a new answer"))

    assert "Lost by going back: a new answer" in text


def test_what_is_behind_the_app_stands_on_one_line_of_the_card() -> None:
    text = shown(a_view(impact=an_impact()))

    assert (
        "Impact: *critical risk* · as critical as `checkout-bot` · "
        "21 apps depend on it (`checkout-bot`, `checkout-bot`, `checkout-bot` and 18 more) · "
        "21 call it as a tool and stay as they are (`checkout-bot`, `checkout-bot`, "
        "`checkout-bot` and 18 more) · 12 requests/s · code, a tool or an HTTP request changes · "
        "4 versions are lost · conversations already open stay on the version they began with"
    ) in text


def test_the_record_of_several_apps_is_asked_for_by_those_who_may_see_all() -> None:
    legs = (CardLeg("support-triage@prod", 7, 6), CardLeg("kb-search@prod", 4, 3))

    ended, waits = shown(a_view(State.COMPLETED, legs=legs)), shown(a_view(legs=legs))

    said = "Whole record, for who may see all apps: `/rollback record support-triage@prod`"
    assert said in ended
    assert "Whole record" not in waits


def test_of_several_apps_each_has_a_line_of_its_impact() -> None:
    where = ("shop@prod", "kb-search@prod")
    facts = an_impact(where=where) | {"risk": "high"}
    for app in facts["apps"]:
        app["parts"] = [{"code": "nobody"}]

    assert shown(a_view(impact=facts)).count("no app is known to call it") == 2
    assert (
        "Impact: *high risk*\n• `shop@prod` no app is known to call it\n• `kb-search@prod` no app"
    ) in shown(a_view(impact=facts))


def test_the_card_says_why_more_people_have_to_approve() -> None:
    pending = a_view(votes_needed=3, risk="high")

    assert "*Approvals* 1 of 3 (high risk)" in shown(pending)
    assert "3 approvals needed (high risk) from <!subteam^S0REVIEWERS>" in shown(pending)
    assert "risk" not in shown(a_view(votes_needed=3))
    assert "risk" not in shown(a_view(State.COMPLETED, votes_needed=3, risk="high"))


def test_a_card_without_an_impact_says_nothing_of_it() -> None:
    assert "Impact" not in shown(a_view())


def test_the_few_most_telling_reasons_stand_on_the_card() -> None:
    later = {"code": "came_later", "versions": ["support-triage@prod v8"]}
    beside = {"code": "load_even", "times": 1.0}
    told = {"reasons": [beside, later, APPS_THAT_TURNED, APPS_THAT_TURNED, {"code": "rose_slowly"}]}
    text = shown(a_view(finding_facts={**a_view().finding_facts, **told}))

    assert "Evidence: support-triage@prod v8 came after it had begun. At the same time" in text
    assert "The load stayed" not in text
    assert "It rose slowly" not in text


def test_the_card_publishes_the_head_of_the_record() -> None:
    assert "Record 41 `eeeeeeeeeeee`" in shown(a_view())
    assert "Case 5" in shown(facts_only(audit_seq=None))


def test_unknown_version_numbers_do_not_stop_a_card() -> None:
    message = sound(card(a_view(from_number=None)))

    assert header(message) == "Rollback proposed: support-triage@prod v? → v6"
    assert header(card(a_view(from_number=None, to_number=None))).endswith("@prod")


@pytest.mark.parametrize("n", [0, 1, 12, 13, 50, 200])
def test_no_change_disappears_silently(n: int) -> None:
    changes = tuple(a_change(subject=f"node {i}") for i in range(n))
    message = sound(card(a_view(changes=changes, changes_left=3)))

    lists = [o for o in objects(message.blocks) if o.get("type") == "rich_text_list"]
    listed = len(lists[0]["elements"]) if lists else 0
    assert listed == min(n, 12)
    assert f"… {n + 3 - listed} more changes in the thread" in everything(message)


def a_long_view(**changes: Any) -> CardView:
    """A card on which all is as long as it can be."""
    long = "long words " * 60
    lines = tuple(
        a_change(subject=f"{i} {long}", detail=long, before=long, after=long) for i in range(12)
    )
    facts: dict[str, Any] = {
        "changes": lines,
        "app": "app " * 90,
        "reason": long,
        "finding_facts": {**a_view().finding_facts, "reasons": [APPS_THAT_TURNED] * 9},
        "impact": an_impact(long),
        "risk": "critical",
        "lost": long,
        "phrases": ({"code": "swapped", "before": long, "after": long},),
        "secrets_kept": tuple(f"{'SECRET_' * 20}{i}" for i in range(40)),
        "secrets_from_version": tuple(f"{'OTHER_' * 20}{i}" for i in range(40)),
        "alerts": tuple(CardAlert(long, "f" * 200, NOON, True, long) for _ in range(60)),
        "votes": tuple(CardVote(long, Choice.APPROVE, NOON) for _ in range(60)),
        "reviewers": tuple(f"S0REVIEWER{i}" for i in range(60)),
    }
    return a_view(State.PENDING_APPROVAL, **{**facts, **changes})


def test_a_card_of_several_apps_on_which_all_is_long_can_be_sent() -> None:
    sound(card(a_long_view(impact=an_impact("long words " * 60, where=["a long name " * 20] * 5))))


def test_the_least_important_changes_give_way_when_all_is_long() -> None:
    message = sound(card(a_long_view()))

    text = everything(message)
    listed = text.count("Prompt changed: ")
    assert 0 < listed < 12
    assert f"… {12 - listed} more changes in the thread" in text
    assert "0 long words" in text
    assert "and 52 more" in text


def test_one_change_more_is_said_in_the_singular() -> None:
    assert "… 1 more change in the thread" in shown(a_view(changes_left=1))


@pytest.mark.parametrize(
    "broken",
    [{"finding_code": "gone"}, {"finding_facts": {}}, {"finding_facts": {"published_at": "noon"}}],
)
def test_a_card_whose_sentence_cannot_be_said_is_never_sent_half(broken: dict[str, Any]) -> None:
    with pytest.raises(BrokenBlocks):
        card(a_view(**broken))


def test_a_card_that_slack_would_refuse_says_where_it_is_broken() -> None:
    button = a_view().buttons[0]
    too_long = type(button)(button.action, "x" * 2001)

    with pytest.raises(BrokenBlocks, match=r"/value") as caught:
        card(a_view(buttons=(too_long,)))

    assert caught.value.problems[0].pointer.endswith("/elements/0/value")


def test_a_card_links_to_its_page_only_where_there_is_one() -> None:
    url = "https://keyturn.example.com/diffs/r7?until=1&key=ab"

    assert "/diffs/" not in str(card(a_view()).blocks)
    assert f"<{url.replace('&', '&amp;')}|Side by side>" in str(card(a_view(page=url)).blocks)
    assert "<https://x/%3E%7C|Side by side>" in str(card(a_view(page="https://x/>|")).blocks)


def test_a_card_links_to_the_whole_record_only_where_there_is_one() -> None:
    url = "https://keyturn.example.com/rollbacks/7?until=1&key=ab"

    assert "Whole record" not in str(card(a_view()).blocks)
    assert f"<{url.replace('&', '&amp;')}|Whole record>" in str(card(a_view(record=url)).blocks)


def test_several_apps_stand_on_the_card_each_with_its_versions_and_page() -> None:
    legs = (
        CardLeg("support-triage@prod", 7, 6, page="https://keyturn.example.com/diffs/r1?a=1&b=2"),
        CardLeg("<!channel>`kb`@prod", 5, None),
    )
    message = sound(card(a_view(legs=legs)))

    assert header(message).endswith("v7 → v6 and 1 more app")
    said = everything(message)
    assert "*All of these, or none:*" in said
    link = "<https://keyturn.example.com/diffs/r1?a=1&amp;b=2|Side by side>"
    assert f"`support-triage@prod` version 7 → 6 · {link}" in said
    assert "`&lt;!channel&gt;ʼkbʼ@prod` version 5 → ?" in said


def test_the_end_of_several_apps_names_what_became_of_each() -> None:
    rows = [
        {"where": "support-triage@prod", "candidate": 6, "number": 8, "draft": "put_back"},
        {"where": "kb-search@prod", "candidate": 1, "number": 3, "draft": "unchanged"},
    ]
    done = a_view(State.COMPLETED, outcome_facts={**rows[0], "legs": rows})
    back = a_view(
        State.FAILED, outcome_code="draft_busy", outcome_facts={"put_back": ["kb-search@prod"]}
    )

    assert "Together with it: `kb-search@prod`, version 3," in everything(sound(card(done)))
    assert "were put back: `kb-search@prod`" in everything(sound(card(back)))


GLASS = CardGlass(ALICE, "nobody is awake <!channel> & *all* is down", NOON)


@pytest.mark.parametrize("state", [s for s in State if s not in (State.DRAFT, State.APPROVED)])
def test_a_broken_glass_stands_on_every_card_with_who_and_why(state: State) -> None:
    text = shown(a_view(state, glass=GLASS, votes=()))

    assert f"*Glass broken* by <@{ALICE}>" in text
    assert "nobody is awake &lt;!channel&gt; &amp;" in text
    assert "Approved by" not in text
    assert "*Approvals* 0 of 2" in text
    assert "Review open" not in text


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.NEEDS_ATTENTION])
def test_its_review_stands_on_the_card_until_two_have_signed_and_then_who(state: State) -> None:
    ran = replace(GLASS, ran=True, review_open=True, signed=(BOB,))
    text = shown(a_view(state, glass=ran))
    assert f"*Review open*: signed by 1 of 2 others (<@{BOB}>)" in text
    assert "/rollback review support-triage@prod" in text

    closed = replace(ran, review_open=False, signed=(BOB, "U0CAROL0001"))
    assert "*Reviewed*: signed by 2 of 2 others" in shown(a_view(state, glass=closed))


def test_what_ran_alone_is_not_said_to_be_approved() -> None:
    facts = {"number": 8, "candidate": 6, "draft": "put_back", "alone": True}
    view = a_view(State.COMPLETED, glass=GLASS, outcome_facts=facts, votes=(), seconds=2.0)
    text = shown(view)

    assert f"Rolled back by break-glass of <@{ALICE}> in 2.0 s" in text
    assert "is what the card showed" in text
    assert "approved." not in text


def test_a_card_that_may_be_started_alone_says_what_it_does_before_it_asks_why() -> None:
    view = a_view(buttons=(*a_view().buttons, CardButton("break_glass", "17.1.n0nce.00")))
    button = actions(sound(card(view)))[-1]

    assert (button["action_id"], button["style"]) == ("rollback.break_glass", "danger")
    said = button["confirm"]["text"]["text"]
    assert "App support-triage, environment prod: version 7 goes back to version 6" in said
    assert "without approval" in said


def test_the_question_before_it_starts_alone_fits_whatever_the_names() -> None:
    buttons = (CardButton("break_glass", "17.1.n0nce.00"),)
    view = a_view(app="a" * 200, env="e" * 200, from_number=123456, to_number=1, buttons=buttons)
    said = actions(sound(card(view)))[-1]["confirm"]["text"]["text"]

    assert said.endswith("Next you are asked why.")


def test_what_a_dry_run_misses_is_a_warning_of_its_own() -> None:
    line = "Dry run: 1 thing is missing in prod: model <gpt-4o> (node Answer)"

    message = sound(card(a_view(dry_run=line, dry_run_warns=True)))

    (block,) = [b for b in message.blocks if b["block_id"].startswith("dry_run.")]
    assert block["text"]["text"] == f":warning: {line}".replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize("state", State)
def test_that_nothing_is_missing_is_said_small_and_while_it_matters(state: State) -> None:
    line = "Dry run: nothing is missing"

    message = sound(card(a_view(state, dry_run=line)))

    open_states = {State.DRAFT, State.PENDING_APPROVAL, State.APPROVED}
    assert (line in everything(message)) is (state in open_states)
    assert not any(b["block_id"].startswith("dry_run.") for b in message.blocks)


def test_a_card_of_what_was_carried_out_offers_undo_without_a_colour() -> None:
    buttons = (CardButton("difference", "d"), CardButton("undo", "u"))

    difference, undo = actions(sound(card(a_view(State.COMPLETED, buttons=buttons))))

    assert (undo["action_id"], undo["value"]) == ("rollback.undo", "u")
    assert "style" not in undo
    assert difference["action_id"] == "rollback.difference"
    assert actions(card(a_view(State.FAILED, buttons=buttons)))[-1] == difference | {
        "action_id": "rollback.difference"
    }


def test_the_form_of_undo_says_what_it_asks_for() -> None:
    view = form_view("undo", value="17.1.n0nce.mac", channel="C0INCIDENTS", ts="1.000001")

    assert view["callback_id"] == "rollback.undo"
    assert "others have to approve" in view["blocks"][0]["text"]["text"]
    assert view["blocks"][1]["block_id"] == "reason"
