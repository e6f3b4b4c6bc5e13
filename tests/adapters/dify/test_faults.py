"""What becomes of a call when Dify is ill: nothing applied, perhaps applied, or unreadable."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from bot.adapters.dify.credentials import Account
from bot.adapters.dify.reading import OFF_LOOP_BYTES
from bot.adapters.dify.transport import Request, Transport
from bot.errors import (
    Ambiguous,
    AnswerUnreadable,
    DraftMoved,
    UpstreamDown,
    UpstreamRefused,
)
from bot.playground.dify.faults import Fault
from store.document import Document
from store.records import Json
from tests.adapters.dify.conftest import QUICK, Dify, a_graph, a_secret

Call = Callable[[Dify], Awaitable[object]]
EPOCH = datetime.fromisoformat("2020-01-01T00:00:00Z")


async def _list(dify: Dify) -> object:
    return [ref async for ref in dify.target.list_live()]


async def _history(dify: Dify) -> object:
    return [version async for version in dify.target.history(dify.app_id)]


READS: dict[str, Call] = {
    "app_list": _list,
    "versions": _history,
    "published_get": lambda dify: dify.target.live(dify.app_id),
    "draft_get": lambda dify: dify.target.draft(dify.app_id),
    "runs": lambda dify: dify.target.run_results(dify.app_id, since=EPOCH, most=500),
    "app_detail": lambda dify: dify.target.live(dify.app_id),
}


async def _stage(dify: Dify) -> object:
    draft = await dify.target.draft(dify.app_id)
    assert draft is not None
    content = {**draft.document.content, "graph": a_graph("ours")}
    document = Document("workflow", content)
    return await dify.target.stage(dify.app_id, document, token=draft.token, secrets_from={})


WRITES: dict[str, Call] = {
    "draft_sync": _stage,
    "publish": lambda dify: dify.target.publish(dify.app_id, name="ours", comment=""),
}


def applied(dify: Dify, route: str) -> bool:
    """True if our write has arrived in the server's state."""
    if route == "publish":
        return len(dify.state.versions(dify.app_id)) == 3
    draft = dify.state.draft(dify.app_id)
    return draft is not None and draft.graph == a_graph("ours")


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.UNAVAILABLE, Fault.DROP])
@pytest.mark.parametrize("route", READS)
async def test_a_read_without_an_answer_may_work_later(
    dify: Dify, route: str, fault: Fault
) -> None:
    dify.faults.add(route, *[fault] * 2)  # a dropped read is sent again once by the HTTP library

    with pytest.raises(UpstreamDown) as caught:
        await READS[route](dify)

    assert type(caught.value) is UpstreamDown
    dify.faults.clear()
    assert await READS[route](dify) is not None


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.TRUNCATED])
@pytest.mark.parametrize("route", READS)
async def test_a_read_that_is_no_answer_is_unreadable(dify: Dify, route: str, fault: Fault) -> None:
    dify.faults.add(route, fault)

    with pytest.raises(AnswerUnreadable):
        await READS[route](dify)


@pytest.mark.parametrize("route", [*READS, *WRITES])
async def test_redirects_are_not_followed(dify: Dify, route: str) -> None:
    dify.faults.add(route, Fault.REDIRECT)

    with pytest.raises(UpstreamRefused, match="redirect"):
        await (READS | WRITES)[route](dify)


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault.ERROR, False),
        (Fault.ERROR_AFTER, True),
        (Fault.UNAVAILABLE, False),
        (Fault.DROP, False),
        (Fault.DROP_AFTER, True),
        (Fault.HTML, False),
        (Fault.HTML_AFTER, True),
        (Fault.TRUNCATED, True),
    ],
)
@pytest.mark.parametrize("route", WRITES)
async def test_a_write_without_a_clear_answer_is_ambiguous_and_sent_once(
    dify: Dify, route: str, fault: Fault, *, done: bool
) -> None:
    dify.faults.add(route, fault)

    with pytest.raises(Ambiguous):
        await WRITES[route](dify)

    assert dify.faults.count(route) == 1
    assert applied(dify, route) is done


@pytest.mark.parametrize(
    ("route", "kind"), [("published_get", UpstreamDown), ("publish", Ambiguous)]
)
async def test_an_answer_that_does_not_come_in_time_is_given_up(
    dify: Dify, route: str, kind: type[UpstreamDown]
) -> None:
    target = dify.another_target(timeout=QUICK)
    hurried = Dify(dify.running, target, dify.app_id)
    await target.greet()
    await target.live(dify.app_id)
    dify.faults.add(route, Fault.HANG)

    with pytest.raises(UpstreamDown) as caught:
        await (READS | WRITES)[route](hurried)

    assert type(caught.value) is kind
    await target.close()


@pytest.mark.parametrize("route", [*READS, *WRITES])
async def test_a_server_that_is_not_there_was_never_written_to(dify: Dify, route: str) -> None:
    await dify.target.live(dify.app_id)
    draft = await dify.target.draft(dify.app_id)
    assert draft is not None
    await dify.running.stop()

    with pytest.raises(UpstreamDown) as caught:
        await (READS | WRITES)[route](dify)

    assert type(caught.value) is UpstreamDown


async def test_no_write_goes_out_on_a_connection_that_another_write_left(dify: Dify) -> None:
    await dify.target.publish(dify.app_id, name="first", comment="")
    await dify.running.stop()

    with pytest.raises(UpstreamDown) as caught:
        await dify.target.publish(dify.app_id, name="second", comment="")

    assert type(caught.value) is UpstreamDown


async def test_a_token_that_is_old_already_is_not_even_sent(dify: Dify) -> None:
    draft = await dify.target.draft(dify.app_id)
    assert draft is not None

    with pytest.raises(DraftMoved):
        await dify.target.stage(dify.app_id, draft.document, token="0" * 64, secrets_from={})

    assert dify.faults.count("draft_sync") == 0


async def test_a_save_between_our_read_and_our_write_is_not_lost(dify: Dify) -> None:
    dify.faults.before(
        "draft_sync",
        lambda: dify.state.save_draft_as_editor(dify.app_id, graph=a_graph("theirs")),
    )

    with pytest.raises(DraftMoved):
        await _stage(dify)

    draft = dify.state.draft(dify.app_id)
    assert draft is not None
    assert draft.graph == a_graph("theirs")


async def test_a_secret_that_vanished_between_read_and_write_is_called_out(dify: Dify) -> None:
    dify.faults.before(
        "draft_sync",
        lambda: dify.state.save_draft_as_editor(dify.app_id, environment_variables=[]),
    )

    with pytest.raises(UpstreamRefused) as caught:
        await _stage(dify)

    assert caught.value.upstream_code == "secret_lost"


async def test_a_placeholder_that_stood_there_before_is_not_our_doing(dify: Dify) -> None:
    dify.state.save_draft_as_editor(dify.app_id, environment_variables=[])
    dify.state.save_draft_as_editor(dify.app_id, environment_variables=[a_secret("[__HIDDEN__]")])

    await _stage(dify)

    assert applied(dify, "draft_sync")


async def test_exports_that_fail_do_not_stop_a_write_that_needs_none(dify: Dify) -> None:
    dify.faults.add("export", Fault.ERROR, Fault.HTML)

    await _stage(dify)

    assert applied(dify, "draft_sync")


async def test_secrets_that_cannot_be_read_are_unknown(dify: Dify) -> None:
    dify.faults.add("export", Fault.HTML)

    compared = await dify.target.compare_secrets(
        dify.app_id, live_id=dify.state.app(dify.app_id).live_id
    )

    assert compared.verdict == "unknown"


async def test_a_history_that_grows_while_it_is_read_tells_no_version_twice(dify: Dify) -> None:
    for number in range(45):
        dify.state.publish_directly(dify.app_id, graph=a_graph(str(number)))
    expected = [version.id for version in dify.state.versions(dify.app_id)]
    told = []
    async for version in dify.target.history(dify.app_id):
        told.append(version.external_id)
        if len(told) == 5:
            dify.state.publish_directly(dify.app_id, graph=a_graph("meanwhile"))

    assert told == expected


async def test_counting_takes_few_calls(dify: Dify) -> None:
    for number in range(98):
        dify.state.publish_directly(dify.app_id, graph=a_graph(str(number)))

    assert await dify.target.count_versions(dify.app_id) == 100
    assert dify.faults.count("versions") <= 16


async def test_apps_are_listed_a_hundred_a_call(dify: Dify) -> None:
    for number in range(249):
        dify.state.create_app(f"app {number}")

    refs = [ref async for ref in dify.target.list_live()]

    assert len({ref.app_id for ref in refs}) == 250
    assert dify.faults.count("app_list") == 3


async def test_an_answer_beyond_the_limit_is_not_read_to_its_end(dify: Dify) -> None:
    transport = Transport(dify.running.url)
    for write, kind in ((False, AnswerUnreadable), (True, Ambiguous)):
        request = Request("GET", "/version", write=write, limit=10)
        with pytest.raises(kind, match="larger than 10 bytes"):
            await transport.exchange(request, {})
    await transport.close()


@pytest.mark.parametrize("path", ["", "/", "/console/api", "/console/api/"])
async def test_the_address_may_be_given_with_or_without_the_api(dify: Dify, path: str) -> None:
    transport = Transport(dify.running.url + path)

    answer = await transport.exchange(Request("GET", "/version"), {})

    assert (answer.status, answer.version) == (200, "1.14.2")
    await transport.close()


def test_an_account_does_not_show_its_password() -> None:
    assert "secret" not in repr(Account("bot@example.com", "secret"))


@pytest.mark.parametrize(("size", "beside"), [(10, False), (OFF_LOOP_BYTES, True)])
async def test_a_large_answer_is_understood_beside_the_event_loop(
    dify: Dify, size: int, *, beside: bool
) -> None:
    """Leases are renewed and clicks acknowledged meanwhile."""
    dify.state.save_draft_as_editor("support-triage", graph=a_graph("x" * size))
    threads: list[int] = []

    def understand(answer: Json) -> Json:
        threads.append(threading.get_ident())
        return answer

    await dify.target.reading.understood(f"/apps/{dify.app_id}/workflows/draft", understand)

    assert (threads != [threading.get_ident()]) is beside
