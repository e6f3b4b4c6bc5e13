"""Who somebody is, as Slack says at this moment; where it does not say, nobody is anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession

from bot.adapters.slack.directory import SlackDirectory
from bot.domain import policy
from bot.domain.policy import Policy
from bot.errors import AnswerUnreadable, NotEligible, UpstreamDown, UpstreamRefused
from bot.playground.slack.people import (
    ALICE,
    BOB,
    BOT_USER,
    CAROL,
    DAVE,
    FORMER,
    GUEST,
    INCIDENTS,
    OTHER_TEAM,
    REVIEWERS,
    ROBOT,
    SHARED,
    SINGLE_GUEST,
    SLACKBOT,
    STRANGER,
    TEAM,
)
from bot.playground.slack.server import RunningSlack
from bot.services.asker import Reception
from bot.services.eligibility import Eligibility, facts_of
from store.records import InboxItem, InboxKind
from tests.adapters.slack.conftest import TOKEN
from tests.adapters.slack.odd import OddServer, odd_server
from tests.builders import NOON

NOBODY = "U0NOBODY001"
RULES = Policy(reviewers=(REVIEWERS,), requesters=(DAVE,), named=True, open_for=timedelta(hours=1))


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with odd_server() as running:
        yield running


def of(url: str, session: ClientSession, team_id: str = "") -> SlackDirectory:
    return SlackDirectory(token=TOKEN, base_url=url, session=session, team_id=team_id, aliases={})


def a_command_by(slack_id: str) -> InboxItem:
    return InboxItem(1, InboxKind.COMMAND, "rollback", slack_id, TEAM, {"text": ""}, NOON, 1)


# -- Members ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slack_id", "flags"),
    [
        (ALICE, set()),
        (BOB, set()),
        (CAROL, set()),
        (FORMER, {"deleted"}),
        (ROBOT, {"bot"}),
        (BOT_USER, {"bot"}),
        (SLACKBOT, {"bot"}),
        (GUEST, {"guest"}),
        (SINGLE_GUEST, {"guest"}),
        (STRANGER, {"stranger"}),
    ],
)
async def test_every_kind_of_account_is_told_apart(
    directory: SlackDirectory, slack_id: str, flags: set[str]
) -> None:
    member = await directory.member(slack_id)

    assert member.slack_id == slack_id
    assert {f for f in ("deleted", "bot", "guest", "stranger") if getattr(member, f)} == flags
    assert member.team_id == (OTHER_TEAM if slack_id == STRANGER else TEAM)


@pytest.mark.parametrize("slack_id", [FORMER, ROBOT, GUEST, SINGLE_GUEST, STRANGER, SLACKBOT])
async def test_who_may_not_vote_may_not_vote_as_a_member_of_the_reviewers_group_either(
    slack: RunningSlack, directory: SlackDirectory, slack_id: str
) -> None:
    slack.state.groups[REVIEWERS].users.append(slack_id)
    groups = {REVIEWERS: await directory.members_of(REVIEWERS)}

    why = policy.why_not(
        facts_of(await directory.member(slack_id)),
        policy=RULES.snapshot([ALICE, slack_id]),
        groups=groups,
        team_id=TEAM,
        at_open=frozenset({ALICE, slack_id}),
        shared_channel=False,
    )

    assert why is not None


async def test_a_person_is_the_same_with_each_of_their_accounts(directory: SlackDirectory) -> None:
    assert (await directory.member(ALICE)).person == directory.person_of(ALICE) == "alice"
    assert (await directory.member(BOB)).person == directory.person_of(BOB) == BOB


async def test_the_shown_name_comes_first_and_is_cut(
    slack: RunningSlack, directory: SlackDirectory
) -> None:
    slack.state.users[BOB].name = "b" * 300

    assert (await directory.member(ALICE)).name == "alice"
    assert (await directory.member(BOB)).name == "b" * 80


async def test_what_changed_a_moment_ago_is_known(
    slack: RunningSlack, directory: SlackDirectory
) -> None:
    assert not (await directory.member(ALICE)).deleted
    slack.state.users[ALICE].deleted = True
    assert (await directory.member(ALICE)).deleted


@pytest.mark.parametrize(
    ("teams", "team_id"), [([OTHER_TEAM, TEAM], TEAM), ([OTHER_TEAM], OTHER_TEAM), ([], OTHER_TEAM)]
)
async def test_in_a_grid_a_person_is_ours_only_where_our_workspace_is_listed(
    slack: RunningSlack, directory: SlackDirectory, teams: list[str], team_id: str
) -> None:
    dave = slack.state.users[DAVE]
    dave.team_id, dave.enterprise_id, dave.enterprise_teams = OTHER_TEAM, "E0GRID00001", teams

    assert (await directory.member(DAVE)).team_id == team_id


async def test_an_unknown_account_is_refused_and_nobody_to_the_use_cases(
    directory: SlackDirectory,
) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        await directory.member(NOBODY)
    assert raised.value.upstream_code == "user_not_found"

    asker = await Reception(directory).of(a_command_by(NOBODY), [REVIEWERS], channel=INCIDENTS)

    assert (asker.member, asker.known) == (None, False)
    with pytest.raises(NotEligible):
        asker.must_be_member()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": None},
        {"user": []},
        {"user": {}},
        {"user": {"id": "", "team_id": TEAM}},
        {"user": {"id": 7, "team_id": TEAM}},
        {"user": {"id": BOB, "team_id": TEAM}},  # we asked for alice
        {"user": {"id": ALICE}},
        {"user": {"id": ALICE, "team_id": None, "enterprise_user": {"teams": "T0KEYTURN01"}}},
        {"user": {"id": ALICE, "team_id": "", "enterprise_user": []}},
    ],
)
async def test_an_answer_about_nobody_or_somebody_else_is_no_member(
    odd: OddServer, session: ClientSession, body: dict[str, Any]
) -> None:
    odd.say({"ok": True, **body})

    with pytest.raises(AnswerUnreadable):
        await of(odd.url, session, TEAM).member(ALICE)


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ({"profile": {"display_name": ""}, "real_name": "Alice"}, "Alice"),
        ({"profile": None, "name": "alice"}, "alice"),
        ({}, ""),
    ],
)
async def test_a_name_that_is_missing_is_no_obstacle(
    odd: OddServer, session: ClientSession, profile: dict[str, Any], name: str
) -> None:
    odd.say({"ok": True, "user": {"id": ALICE, "team_id": TEAM, **profile}})

    assert (await of(odd.url, session, TEAM).member(ALICE)).name == name


# -- Groups and channels ----------------------------------------------------------------------


async def test_a_group_has_the_members_that_slack_lists_now(
    slack: RunningSlack, directory: SlackDirectory
) -> None:
    assert {ALICE, BOB, CAROL, FORMER} <= await directory.members_of(REVIEWERS)
    slack.state.groups[REVIEWERS].users.remove(BOB)
    assert BOB not in await directory.members_of(REVIEWERS)


@pytest.mark.parametrize("group", ["disabled", "unknown", "plan"])
async def test_a_group_that_slack_does_not_list_makes_nobody_eligible(
    slack: RunningSlack, directory: SlackDirectory, group: str
) -> None:
    asked = REVIEWERS
    match group:
        case "disabled":
            slack.state.groups[REVIEWERS].disabled = True
        case "unknown":
            asked = "S0NOBODY001"
        case _:
            slack.state.faults.order(
                "refuse", "usergroups.users.list", times=None, code="plan_upgrade_required"
            )

    with pytest.raises(UpstreamRefused):
        await directory.members_of(asked)
    with pytest.raises(UpstreamRefused):
        await Eligibility(directory).groups((asked, ALICE))


async def test_a_group_without_a_list_of_users_is_unreadable(
    odd: OddServer, session: ClientSession
) -> None:
    directory = of(odd.url, session)
    odd.say({"ok": True, "users": "U0ALICE0001"})
    with pytest.raises(AnswerUnreadable):
        await directory.members_of(REVIEWERS)

    odd.say({"ok": True, "users": [ALICE, None, 7, {"id": BOB}]})
    assert await directory.members_of(REVIEWERS) == {ALICE}


async def test_a_channel_is_shared_when_others_can_click_there(
    slack: RunningSlack, directory: SlackDirectory
) -> None:
    assert not await directory.shared_channel(INCIDENTS)
    assert await directory.shared_channel(SHARED)
    slack.state.channels[INCIDENTS].is_org_shared = True
    assert await directory.shared_channel(INCIDENTS)


async def test_an_invitation_of_others_is_enough(odd: OddServer, session: ClientSession) -> None:
    directory = of(odd.url, session)
    odd.say({"ok": True, "channel": {"id": INCIDENTS, "is_pending_ext_shared": True}})
    assert await directory.shared_channel(INCIDENTS)

    odd.say({"ok": True, "channel": INCIDENTS})
    with pytest.raises(AnswerUnreadable):
        await directory.shared_channel(INCIDENTS)


async def test_a_channel_that_slack_does_not_know_is_refused(directory: SlackDirectory) -> None:
    with pytest.raises(UpstreamRefused):
        await directory.shared_channel("C0NOWHERE00")


# -- Our own workspace, and Slack itself ------------------------------------------------------


async def test_our_workspace_is_learned_from_the_token_once(
    slack: RunningSlack, session: ClientSession
) -> None:
    directory = of(slack.url, session)

    assert directory.team_id == ""
    assert (await directory.member(ALICE)).team_id == directory.team_id == TEAM
    assert await directory.team() == TEAM
    assert slack.state.count("auth.test") == 1


async def test_a_configured_workspace_is_not_asked_for(
    slack: RunningSlack, directory: SlackDirectory
) -> None:
    assert await directory.team() == TEAM
    assert slack.state.count("auth.test") == 0


async def test_a_workspace_that_was_not_told_is_learned_later(
    slack: RunningSlack, session: ClientSession
) -> None:
    directory = of(slack.url, session)
    slack.state.faults.order("error", "auth.test")

    with pytest.raises(UpstreamDown):
        await directory.member(ALICE)

    assert directory.team_id == ""
    assert await directory.team() == TEAM


async def test_slack_is_greeted_with_the_token(slack: RunningSlack, session: ClientSession) -> None:
    await of(slack.url, session).greet()

    wrong = SlackDirectory(
        token="xoxb-wrong", base_url=slack.url, session=session, team_id=TEAM, aliases={}
    )
    with pytest.raises(UpstreamDown):
        await wrong.greet()


@pytest.mark.parametrize("kind", ["error", "drop", "throttle"])
async def test_while_slack_is_down_nobody_is_anybody(
    slack: RunningSlack, directory: SlackDirectory, kind: str
) -> None:
    slack.state.faults.order(kind, times=None)
    questions = (directory.member, directory.members_of, directory.shared_channel)

    for ask, what in zip(questions, (ALICE, REVIEWERS, INCIDENTS), strict=True):
        with pytest.raises(UpstreamDown):
            await ask(what)
    with pytest.raises(UpstreamDown):
        await Reception(directory).of(a_command_by(ALICE), [REVIEWERS], channel=INCIDENTS)
