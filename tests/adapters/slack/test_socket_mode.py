"""Socket Mode on the local Slack: acknowledged is what is kept, and another link always comes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import ClientSession, ClientTimeout

from bot.adapters.slack.admission import Admission
from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.link import Limits
from bot.adapters.slack.listeners import build_app
from bot.adapters.slack.socket_mode import SocketMode
from bot.playground.slack import server
from bot.playground.slack.driver import Answer
from bot.playground.slack.people import ALICE, BOB, INCIDENTS, OTHER_TEAM
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.shapes import Forge
from bot.playground.slack.sockets import MOST_LINKS
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from store.records import InboxKind, Unavailable
from tests.adapters.slack.conftest import TOKEN, FakeInbox, OurTeam, no_apps
from tests.adapters.slack.sent import SECRET, a_click, a_submission, interaction

APP_TOKEN = "xapp-1-for-tests"
LIMIT_S = 10.0
SHORT = Limits(connect=5.0, ping=5.0, retire=5.0, settled=0.0, drain=2.0)


@dataclass
class Resynced:
    """Counts how often the service caught up; `faults` are raised first."""

    times: int = 0
    faults: list[Exception] = field(default_factory=list)
    event: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        if self.faults:
            raise self.faults.pop()
        self.times += 1
        self.event.set()


@pytest.fixture
async def slack() -> AsyncIterator[RunningSlack]:
    running = await server.start(signing_secret=SECRET, bot_token=TOKEN, app_token=APP_TOKEN)
    running.state.sockets.retries_s = (0.0, 0.0, 0.0)
    running.state.add(_card(running.state))
    yield running
    await running.stop()


def _card(state: SlackState) -> Message:
    actions = ("rollback.approve", "rollback.reject")
    buttons = [
        {"type": "button", "action_id": one, "value": "17.1.x", "text": {"text": one}}
        for one in actions
    ]
    blocks = [{"type": "actions", "block_id": "actions.1", "elements": buttons}]
    return Message(INCIDENTS, "17.000001", state.bot_user, "a card", blocks)


@pytest.fixture
def resynced() -> Resynced:
    return Resynced()


@dataclass
class Service:
    """The service as far as Slack sees it: sockets made by `open`, one inbox."""

    slack: RunningSlack
    inbox: FakeInbox
    team: OurTeam
    resynced: Resynced
    admit: Admission = field(init=False)

    @asynccontextmanager
    async def open(
        self, *, limits: Limits = SHORT, app_token: str = APP_TOKEN
    ) -> AsyncIterator[SocketMode]:
        async with ClientSession(timeout=ClientTimeout(total=60)) as http:
            forms = SlackMessenger(token=TOKEN, base_url=self.slack.url, session=http)
            bolt = build_app(put=self.inbox.put, forms=forms, apps=no_apps)
            self.admit = Admission(bolt, team=self.team)
            socket = SocketMode(
                app_token=app_token,
                base_url=self.slack.url,
                session=http,
                admit=self.admit,
                resync=self.resynced,
                jitter=lambda: 0.0,
                limits=limits,
            )
            socket.start()
            yield socket
            await socket.stop()

    @asynccontextmanager
    async def connected(self, *, limits: Limits = SHORT) -> AsyncIterator[SocketMode]:
        async with self.open(limits=limits) as socket:
            await self.links(1)
            yield socket

    async def links(self, opened: int) -> None:
        """Wait until so many links were greeted, ever."""
        await self.slack.state.until(lambda s: s.sockets.opened >= opened)

    async def click(self, action: str = "approve", who: str = ALICE) -> Answer:
        return await self.slack.driver.click(who, "17.000001", action)

    def calls(self) -> int:
        return self.slack.state.count("apps.connections.open")


@pytest.fixture
def service(slack: RunningSlack, inbox: FakeInbox, team: OurTeam, resynced: Resynced) -> Service:
    return Service(slack, inbox, team, resynced)


@pytest.fixture(autouse=True)
def nothing_unheard_of(slack: RunningSlack) -> Iterator[None]:
    """Whatever happens: we say nothing that the protocol does not know."""
    yield
    assert slack.state.sockets.complaints == []


# -- What comes in --------------------------------------------------------------------------------


async def test_a_click_is_kept_and_acknowledged(service: Service) -> None:
    async with service.connected():
        answer = await service.click()

    assert answer == Answer(200, "")
    row = service.inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.CLICK, "approve", ALICE)


async def test_a_command_is_kept_and_acknowledged(service: Service) -> None:
    async with service.connected():
        answer = await service.slack.driver.command(ALICE, INCIDENTS, "/rollback", "status")

    assert answer.ok
    assert service.inbox.only.payload["text"] == "status"


async def test_an_event_that_nobody_listens_to_is_acknowledged(service: Service) -> None:
    async with service.connected():
        joined = service.slack.driver.prepare_event({"type": "team_join", "user": ALICE})
        assert (await service.slack.driver.send(joined)).ok

    assert service.inbox.rows == {}


async def test_an_opened_home_is_one_row_however_often_slack_sends_it(service: Service) -> None:
    async with service.connected():
        assert (await service.slack.driver.open_home(ALICE)).ok

    row = service.inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.HOME, "opened", ALICE)


async def test_a_form_without_a_reason_is_answered_in_the_acknowledgement(
    service: Service,
) -> None:
    slack = service.slack
    async with service.connected():
        assert (await service.click("reject")).ok
        (view,) = await slack.state.until(lambda s: s.views_of(ALICE))
        await slack.driver.submit(ALICE, view.id, {"text": "  "})
        assert "why you reject" in view.errors["reason"]
        answer = await slack.driver.submit(ALICE, view.id, {"text": "the prompt is gone"})

    assert answer.ok
    assert slack.state.views_of(ALICE) == []
    kinds = [row.kind for row in service.inbox.rows.values()]
    assert kinds == [InboxKind.CLICK, InboxKind.SUBMISSION]


async def test_two_presses_of_one_button_are_two_rows(service: Service) -> None:
    async with service.connected():
        await service.click()
        await service.click()

    assert len(service.inbox.rows) == 2


# -- What is not taken ----------------------------------------------------------------------------


@pytest.mark.parametrize("forge", [Forge(team=OTHER_TEAM), Forge(user_team=OTHER_TEAM)])
async def test_people_of_another_workspace_leave_nothing(service: Service, forge: Forge) -> None:
    async with service.connected():
        await service.slack.driver.click(BOB, "17.000001", "approve", forge=forge)

    assert service.inbox.rows == {}


HOSTILE = {
    "too large": interaction(a_click(message={"text": "x" * 300_000})),
    "no sender": interaction({"type": "block_actions"}),
    "a sender of another shape": interaction(a_click(user="U1")),
    "too deep": interaction(a_click(state=json.loads("[" * 60 + "]" * 60))),
    "a form of another shape": interaction(a_submission(state=[])),
    "half a character": interaction(a_click(response_url="\ud800")),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_will_never_be_taken_is_acknowledged_and_leaves_nothing(
    service: Service, name: str
) -> None:
    async with service.connected():
        assert (await service.slack.driver.send(HOSTILE[name])).status == 200
        assert (await service.click()).ok, "the link goes on"

    assert service.inbox.only.action == "approve"


@pytest.mark.parametrize("kind", ["interactive", "slash_commands", "events_api", "hello", "new"])
@pytest.mark.parametrize("payload", [None, [], "text", {}, {"type": "url_verification"}, 1e9])
async def test_an_envelope_of_any_other_content_does_no_harm(
    service: Service, kind: str, payload: object
) -> None:
    (told,) = [{"type": kind, "envelope_id": "E-1", "payload": payload}]
    async with service.connected():
        link = next(iter(service.slack.state.sockets.links.values()))
        for odd in ("", "[]", "null", "{", '{"type": 1}', '{"type": "new"}', "[" * 90_000):
            await link.send(odd)
        await link.say(told)
        assert (await service.click()).ok

    assert service.inbox.only.action == "approve"
    service.slack.state.sockets.complaints.clear()  # E-1 is not one that Slack keeps


# -- Nothing is lost, nothing is done twice -------------------------------------------------------


async def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(
    service: Service,
) -> None:
    service.slack.state.sockets.ack_s = 0.2
    service.inbox.fault = Unavailable("the database is away")
    async with service.connected():
        assert (await service.click()).status == 0, "the person is told that it did not work"
        (envelope,) = service.slack.state.sockets.envelopes.values()
        assert not envelope.acknowledged.done()
        service.inbox.fault = None
        await asyncio.wait_for(asyncio.shield(envelope.acknowledged), LIMIT_S)

    assert len(envelope.sent) >= 2
    assert len(service.inbox.rows) == 1


async def test_an_acknowledgement_waits_for_the_row(service: Service) -> None:
    service.inbox.gate.clear()
    async with service.connected():
        click = asyncio.create_task(service.click())
        (envelope,) = await service.slack.state.until(
            lambda s: [e for e in s.sockets.envelopes.values() if e.sent]
        )
        await asyncio.wait_for(service.inbox.waiting.wait(), LIMIT_S)
        assert not envelope.acknowledged.done()
        service.inbox.gate.set()
        assert (await click).ok
    assert len(envelope.sent) == 1


async def test_a_link_cut_before_the_acknowledgement_loses_no_click_and_doubles_none(
    service: Service,
) -> None:
    sockets = service.slack.state.sockets
    service.inbox.gate.clear()
    async with service.connected():
        click = asyncio.create_task(service.click())
        await asyncio.wait_for(service.inbox.waiting.wait(), LIMIT_S)
        for link in list(sockets.links.values()):
            link.cut()
        service.inbox.gate.set()
        await service.links(2)
        assert (await click).ok
        (envelope,) = sockets.envelopes.values()

    assert len(set(envelope.sent)) == 2
    assert len(service.inbox.rows) == 1


async def test_an_event_that_comes_again_in_another_envelope_is_the_same_row(
    service: Service,
) -> None:
    signed = service.slack.driver.prepare_click(ALICE, "17.000001", "approve")
    async with service.connected():
        assert (await service.slack.driver.send(signed)).ok
        assert (await service.slack.driver.send(signed)).ok

    assert len(service.slack.state.sockets.envelopes) == 2
    assert len(service.inbox.rows) == 1


async def test_of_two_services_one_gets_each_click(service: Service) -> None:
    async with service.connected(), service.open():
        await service.links(2)
        answers = await asyncio.gather(*(service.click() for _ in range(10)))

    assert {answer.status for answer in answers} == {200}
    assert len(service.inbox.rows) == 10
    carried = [e.sent for e in service.slack.state.sockets.envelopes.values()]
    assert len({link for (link,) in carried}) == 2


# -- Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_the_next_link_is_there_before_the_old_one_ends(
    service: Service, reason: str
) -> None:
    sockets = service.slack.state.sockets
    async with service.connected() as socket:
        service.inbox.gate.clear()
        late = asyncio.create_task(service.click())
        await asyncio.wait_for(service.inbox.waiting.wait(), LIMIT_S)
        (old,) = await sockets.announce(reason)
        await service.links(2)
        assert len(sockets.links) == 2, "the old one is still there"
        service.inbox.gate.set()
        assert (await late).ok, "what came by the old link is acknowledged by it"
        await old.close()
        await service.slack.state.until(lambda s: len(s.sockets.links) == 1)
        assert (await service.click()).ok
        assert socket.trouble == ""

    assert len(service.inbox.rows) == 2
    assert all(len(e.sent) == 1 for e in sockets.envelopes.values())


async def test_an_old_link_that_slack_forgets_to_end_is_left(service: Service) -> None:
    limits = replace(SHORT, retire=0.1)
    async with service.connected(limits=limits):
        await service.slack.state.sockets.announce("refresh_requested")
        await service.links(2)
        await service.slack.state.until(lambda s: len(s.sockets.links) == 1)


@pytest.mark.parametrize("how", ["cut", "close"])
async def test_a_link_that_ends_is_followed_by_another(service: Service, how: str) -> None:
    async with service.connected() as socket:
        for number in range(2, 5):
            (link,) = service.slack.state.sockets.links.values()
            if how == "cut":
                link.cut()
            else:
                await link.close()
            await service.links(number)
        assert (await service.click()).ok
        assert socket.trouble == ""


async def test_a_slack_that_answers_no_ping_is_left(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async with service.connected(limits=replace(SHORT, ping=0.1)) as socket:
        (link,) = service.slack.state.sockets.links.values()
        link.deaf = True
        await service.links(2)
        assert (await service.click()).ok
        assert socket.trouble == ""

    assert "no_pong" in [getattr(record, "why", "") for record in caplog.records]


async def test_a_quiet_link_is_kept(service: Service) -> None:
    async with service.connected(limits=replace(SHORT, ping=0.4)):
        (link,) = service.slack.state.sockets.links.values()
        await service.slack.state.until(lambda _: link.pongs >= 3)

    assert service.slack.state.sockets.opened == 1


async def test_a_connection_without_a_hello_is_no_link(service: Service) -> None:
    service.slack.state.sockets.mute = True
    async with service.open(limits=replace(SHORT, connect=0.5)) as socket:
        await service.slack.state.until(lambda s: s.count("apps.connections.open") >= 2)
        assert "no hello" in socket.trouble
        service.slack.state.sockets.mute = False
        await service.links(1)


@pytest.mark.parametrize("token", ["xapp-2-wrong", TOKEN])
async def test_a_wrong_token_is_named_and_tried_again_later_and_later(
    service: Service, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    async with service.open(app_token=token) as socket:
        await service.slack.state.until(lambda s: s.count("apps.connections.open") >= 2)
        trouble = socket.trouble

    assert trouble == f"slack: {'not_allowed_token_type' if token == TOKEN else 'invalid_auth'}"
    (first, second) = [c.at for c in service.slack.state.calls][:2]
    assert second - first >= 0.45
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1, "the same is said once"
    assert token not in caplog.text


async def test_socket_mode_that_was_turned_off_is_no_tight_loop(service: Service) -> None:
    sockets = service.slack.state.sockets
    async with service.connected() as socket:
        sockets.disabled_by_admin = True
        for link in await sockets.announce("link_disabled"):
            await link.close()
        await service.slack.state.until(lambda s: s.count("apps.connections.open") >= 4)
        assert socket.trouble == "slack: link_disabled"
        sockets.disabled_by_admin = False
        await service.links(2)

    at = [call.at for call in service.slack.state.calls if call.method == "apps.connections.open"]
    assert at[3] - at[2] >= 0.9


async def test_too_many_links_are_waited_out(service: Service) -> None:
    sockets = service.slack.state.sockets
    async with ClientSession() as http:
        held = []
        for _ in range(MOST_LINKS):
            url = f"{service.slack.state.url}link/?ticket={sockets.ticket()}"
            held.append(await http.ws_connect(url))
        async with service.open() as socket:
            await service.slack.state.until(lambda s: s.count("apps.connections.open") >= 2)
            assert socket.trouble == "slack: too_many_websockets"
            await held.pop().close()
            await service.links(MOST_LINKS + 1)
        for one in held:
            await one.close()


async def test_no_call_is_made_while_slack_asks_to_wait(service: Service) -> None:
    service.slack.state.faults.order("throttle", "apps.connections.open", retry_after_s=1)
    async with service.open() as socket:
        await service.slack.state.until(lambda s: s.calls)
        assert socket.trouble
        await service.links(1)

    asked, then = service.slack.state.calls[:2]
    assert asked.status == 429
    assert then.at - asked.at >= 1.0


@pytest.mark.parametrize("fault", ["error", "drop", "refuse"])
async def test_a_slack_that_fails_to_answer_is_asked_again(service: Service, fault: str) -> None:
    service.slack.state.faults.order(fault, "apps.connections.open")
    async with service.open():
        await service.links(1)
        assert (await service.click()).ok


# -- Catching up, and the end ---------------------------------------------------------------------


async def test_after_each_link_the_service_catches_up(service: Service, resynced: Resynced) -> None:
    async with service.connected():
        await asyncio.wait_for(resynced.event.wait(), LIMIT_S)
        resynced.event.clear()
        (link,) = service.slack.state.sockets.links.values()
        link.cut()
        await asyncio.wait_for(resynced.event.wait(), LIMIT_S)

    assert resynced.times == 2


async def test_catching_up_is_tried_until_it_works(service: Service, resynced: Resynced) -> None:
    resynced.faults.append(Unavailable("the database is away"))
    async with service.connected():
        await asyncio.wait_for(resynced.event.wait(), LIMIT_S)

    assert resynced.times == 1


async def test_stopping_finishes_and_acknowledges_what_is_at_hand(service: Service) -> None:
    service.inbox.gate.clear()
    async with service.connected() as socket:
        click = asyncio.create_task(service.click())
        await asyncio.wait_for(service.inbox.waiting.wait(), LIMIT_S)
        stopping = asyncio.create_task(socket.stop())
        await asyncio.sleep(0)
        service.inbox.gate.set()
        await stopping
        answer = await click

    assert answer.ok
    assert len(service.inbox.rows) == 1
    await service.slack.state.until(lambda s: not s.sockets.links)


async def test_a_form_that_is_being_opened_is_waited_for(service: Service) -> None:
    faults = service.slack.state.faults
    faults.order("hang", "views.open", after=True)
    async with service.connected() as socket:
        assert (await service.click("reject")).ok
        await service.slack.state.until(lambda s: s.faults.hanging)
        await socket.stop()
        finishing = asyncio.create_task(service.admit.finish())
        done, _ = await asyncio.wait([finishing], timeout=0.05)
        assert not done
        faults.release()
        await finishing
    assert service.slack.state.views_of(ALICE)


async def test_stopping_waits_for_no_slack(service: Service) -> None:
    service.slack.state.faults.order("hang", "apps.connections.open", times=None)
    async with service.open() as socket:
        await service.slack.state.until(lambda s: s.faults.hanging)
        async with asyncio.timeout(4.0):  # Slack is waited for longer
            await socket.stop()
