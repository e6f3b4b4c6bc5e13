"""What the store promises of alerts, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from bot.ports.store import Store
from store.records import Delivery, Firing, FiringStatus, Missing
from store.session import SqlStore
from store.settling import IN_FLIGHT
from tests.builders import CHANNEL, NOON, PROD, a_firing
from tests.contract.store import raw
from tests.contract.store.raw import Hand
from tests.unit.services.scene import ENTRY

ENDED = NOON + timedelta(minutes=1)


def resolved(firing: Firing | None = None) -> Firing:
    return replace(firing or a_firing(), status=FiringStatus.RESOLVED, ends_at=ENDED)


def delivery(*firings: Firing, digest: str = "d1") -> Delivery:
    return Delivery("alertmanager", "keyturn", "{}", digest, 0, firings, b"{}")


async def taken(store: Store, *firings: Firing, digest: str = "d1") -> tuple[Firing, ...]:
    async with store.write() as tx:
        return await tx.alerts.take(delivery(*firings, digest=digest))


async def all_of(store: Store) -> list[Firing]:
    an_hour = timedelta(hours=1)
    async with store.read() as tx:
        return await tx.alerts.around(PROD.env, since=NOON - an_hour, until=NOON + an_hour)


async def a_case_with(store: Store, *firings: Firing) -> int:
    async with store.write() as tx:
        case = await tx.cases.open_for(PROD, channel=CHANNEL, entry=ENTRY)
        await tx.alerts.assign([firing.id for firing in firings], case.id)
    return case.id


async def test_a_new_firing_is_told_as_stored(store: Store) -> None:
    told = await taken(store, a_firing())

    assert told == (replace(a_firing(), id=told[0].id),)
    assert told[0].id > 0


async def test_a_repeat_tells_nothing_and_counts(store: Store, database_url: str) -> None:
    await taken(store, a_firing())

    assert await taken(store, a_firing()) == ()
    counts = "SELECT count, (SELECT count(*) FROM firing) FROM delivery"
    assert await raw.run(database_url, counts) == [(2, 1)]


async def test_a_resolved_firing_is_told_once_with_its_end(store: Store) -> None:
    await taken(store, a_firing())

    told = await taken(store, resolved(), digest="d2")

    assert [(firing.status, firing.ends_at) for firing in told] == [(FiringStatus.RESOLVED, ENDED)]
    assert await taken(store, resolved(), digest="d3") == ()


async def test_a_resolved_firing_without_an_end_ended_when_it_was_told(store: Store) -> None:
    await taken(store, a_firing())

    [told] = await taken(store, replace(resolved(), ends_at=None), digest="d2")

    async with store.read() as tx:
        assert told.ends_at is not None
        assert told.ends_at <= await tx.now()


async def test_a_resolved_firing_never_fires_again(store: Store) -> None:
    await taken(store, a_firing())
    await taken(store, resolved(), digest="d2")

    assert await taken(store, a_firing(), digest="d3") == ()
    async with store.read() as tx:
        assert await tx.alerts.unassigned([PROD]) == []


async def test_the_same_alert_at_a_later_start_is_another_firing(store: Store) -> None:
    [first] = await taken(store, a_firing())

    [second] = await taken(store, a_firing(starts_at=NOON), digest="d2")

    assert second.id != first.id


async def test_one_instant_in_two_zones_is_one_firing(store: Store) -> None:
    await taken(store, a_firing())
    there = a_firing().starts_at.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert await taken(store, a_firing(starts_at=there), digest="d2") == ()


async def test_a_firing_twice_in_one_body_is_one_and_resolved_is_the_later_word(
    store: Store,
) -> None:
    told = await taken(store, a_firing(), resolved(), a_firing())

    assert [firing.status for firing in told] == [FiringStatus.RESOLVED]


async def test_a_firing_that_came_resolved_is_told_but_waits_for_no_case(store: Store) -> None:
    told = await taken(store, resolved())

    assert [firing.status for firing in told] == [FiringStatus.RESOLVED]
    async with store.read() as tx:
        assert await tx.alerts.unassigned([PROD]) == []


async def test_firings_wait_for_a_case_oldest_first_and_at_most_the_limit(store: Store) -> None:
    starts = [NOON - timedelta(minutes=n) for n in (1, 3, 2)]
    await taken(store, *(a_firing(starts_at=start) for start in starts))

    async with store.read() as tx:
        waiting = await tx.alerts.unassigned([PROD])
        two = await tx.alerts.unassigned([PROD], limit=2)

    assert [firing.starts_at for firing in waiting] == sorted(starts)
    assert two == waiting[:2]


async def test_alerts_of_other_apps_take_no_place_among_those_that_wait(store: Store) -> None:
    gone = replace(PROD, app="gone")
    others = [a_firing(fingerprint=str(n), where=gone) for n in range(3)]
    await taken(store, *others, a_firing(fingerprint="ours"))

    async with store.read() as tx:
        ours = await tx.alerts.unassigned([PROD], limit=2)
        nobodys = await tx.alerts.unassigned([])

    assert [firing.fingerprint for firing in ours] == ["ours"]
    assert nobodys == []


async def test_a_case_has_its_firings_by_their_start(store: Store) -> None:
    late, early = await taken(
        store, a_firing(fingerprint="a"), a_firing(fingerprint="b", starts_at=NOON - timedelta(1))
    )
    case_id = await a_case_with(store, late, early)

    async with store.read() as tx:
        found = await tx.alerts.of_case(case_id)
        assert await tx.alerts.unassigned([PROD]) == []
        assert await tx.alerts.of_case(case_id + 1) == []
    assert [firing.id for firing in found] == [early.id, late.id]
    assert {firing.case_id for firing in found} == {case_id}


async def test_a_firing_stays_with_its_first_case(store: Store) -> None:
    [firing] = await taken(store, a_firing())
    first = await a_case_with(store, firing)
    async with store.write() as tx:
        case = await tx.cases.open_for(replace(PROD, env="other"), channel=CHANNEL, entry=ENTRY)
        await tx.alerts.assign([firing.id], case.id)

    async with store.read() as tx:
        assert [found.id for found in await tx.alerts.of_case(first)] == [firing.id]
        assert await tx.alerts.of_case(case.id) == []


async def test_alerts_of_unknown_apps_are_counted_and_wait_for_nobody(store: Store) -> None:
    def stray(fingerprint: str, app: str) -> Firing:
        labels = {"alertname": "Slow", "app": app, "env": "prod"}
        return a_firing(fingerprint=fingerprint, where=None, labels=labels)

    bare = a_firing(fingerprint="d", where=None, labels={})
    await taken(store, stray("a", "mail"), stray("b", "mail"), stray("c", "chat"), bare)

    async with store.read() as tx:
        unknown = await tx.alerts.unknown_apps()
        assert await tx.alerts.unassigned([PROD]) == []
    assert unknown == [("mail", "prod", 2), ("", "", 1), ("chat", "prod", 1)]


async def test_an_app_that_was_configured_meanwhile_is_known_at_the_next_delivery(
    store: Store,
) -> None:
    await taken(store, a_firing(where=None))

    assert await taken(store, a_firing()) == ()
    async with store.read() as tx:
        assert [firing.where for firing in await tx.alerts.unassigned([PROD])] == [PROD]
        assert await tx.alerts.unknown_apps() == []


async def test_a_changed_status_is_told_until_it_was_seen(store: Store) -> None:
    first, second = await taken(store, a_firing(fingerprint="a"), a_firing(fingerprint="b"))
    await a_case_with(store, first, second)
    async with store.read() as tx:
        assert await tx.alerts.changed() == []
    await taken(store, resolved(first), resolved(second), digest="d2")

    async with store.read() as tx:
        changed = await tx.alerts.changed()
        assert await tx.alerts.changed(limit=1) == changed[:1]
    async with store.write() as tx:
        await tx.alerts.seen([first.id])
    async with store.read() as tx:
        left = await tx.alerts.changed()

    assert [firing.id for firing in changed] == [first.id, second.id]
    assert [firing.id for firing in left] == [second.id]


async def test_a_firing_ends_when_its_alert_begins_again(timed_store: SqlStore, hand: Hand) -> None:
    store = timed_store
    later = [NOON + timedelta(minutes=minutes) for minutes in (3, 6)]
    other = a_firing(fingerprint="b")
    await taken(store, a_firing(), other, *(a_firing(starts_at=at) for at in later))

    async with store.write() as tx:
        found, _ = await tx.alerts.outlived()
        await tx.alerts.end(found)

    fire = [f for f in await all_of(store) if f.status is FiringStatus.FIRING]
    assert sorted(found.values()) == later
    assert [f.starts_at for f in fire] == [other.starts_at, later[-1]]
    hand.pass_by(2 * IN_FLIGHT)
    async with store.read() as tx:
        _, through = await tx.alerts.outlived()
        assert await tx.alerts.outlived(after=through) == ({}, through)
    assert through == max(f.id for f in await all_of(store))


async def test_a_firing_that_comes_after_a_later_one_of_its_alert_is_found_too(
    timed_store: SqlStore, hand: Hand
) -> None:
    (again,) = await taken(timed_store, a_firing(starts_at=ENDED))
    async with timed_store.read() as tx:
        await tx.alerts.outlived()
        hand.pass_by(2 * IN_FLIGHT)
        _, through = await tx.alerts.outlived()
    (late,) = await taken(timed_store, a_firing(), digest="d2")

    async with timed_store.read() as tx:
        found, _ = await tx.alerts.outlived(after=through)
    assert through == again.id
    assert found == {late.id: ENDED}


async def test_a_firing_without_a_case_is_not_among_the_changed(store: Store) -> None:
    await taken(store, a_firing())
    await taken(store, resolved(), digest="d2")

    async with store.read() as tx:
        assert await tx.alerts.changed() == []


async def test_ten_thousand_firings_come_in_one_delivery_and_end_in_the_next(
    store: Store,
) -> None:
    many = [a_firing(fingerprint=f"{n:016x}") for n in range(10_000)]

    told = await taken(store, *many)
    again = await taken(store, *many)
    ended = await taken(store, *(resolved(firing) for firing in many), digest="d2")

    assert len({firing.id for firing in told}) == 10_000
    assert again == ()
    assert len(ended) == 10_000


async def test_a_firing_of_an_unknown_app_can_be_named_later(store: Store) -> None:
    (stranger,) = await taken(store, replace(a_firing(), where=None))
    async with store.read() as tx:
        assert [firing_id for firing_id, _ in await tx.alerts.unnamed()] == [stranger.id]
        assert await tx.alerts.unnamed(after=stranger.id) == []

    async with store.write() as tx:
        await tx.alerts.name([stranger.id], PROD)

    async with store.read() as tx:
        assert await tx.alerts.unnamed() == []
        assert [firing.id for firing in await tx.alerts.unassigned([PROD])] == [stranger.id]


async def test_a_firing_that_a_case_has_keeps_its_name(store: Store) -> None:
    (firing,) = await taken(store, a_firing())
    case_id = await a_case_with(store, firing)

    async with store.write() as tx:
        await tx.alerts.name([firing.id], replace(PROD, app="other"))

    async with store.read() as tx:
        assert [one.where for one in await tx.alerts.of_case(case_id)] == [PROD]


async def test_alerts_around_a_time_are_those_of_the_environment_oldest_first(
    store: Store,
) -> None:
    early, late, too_late = (
        a_firing(starts_at=NOON + timedelta(hours=hours), fingerprint=f"f{hours}")
        for hours in (0, 1, 3)
    )
    elsewhere = a_firing(where=replace(PROD, env="staging"), fingerprint="elsewhere")
    nobodys = a_firing(where=None, fingerprint="nobodys")
    await taken(store, late, early, too_late, elsewhere, nobodys)

    async with store.read() as tx:
        until = NOON + timedelta(hours=2)
        found = await tx.alerts.around(PROD.env, since=NOON, until=until)
        newest = await tx.alerts.around(PROD.env, since=NOON, until=until, limit=1)

    assert [firing.fingerprint for firing in found] == ["f0", "f1"]
    assert [firing.fingerprint for firing in newest] == ["f1"]


async def test_when_firings_came_and_what_brought_them_is_known(
    timed_store: Store, hand: Hand
) -> None:
    (first,) = await taken(timed_store, a_firing(), digest="d1")
    hand.passes(minutes=1)
    other = replace(a_firing(), fingerprint="another")
    (second,) = await taken(timed_store, other, digest="d2")

    async with timed_store.read() as tx:
        came, digest = await tx.alerts.arrived([second.id, first.id])
        later, another = await tx.alerts.arrived([second.id])

    assert (digest, another) == ("d1", "d2")
    assert (came, later) == (NOON, NOON + timedelta(minutes=1))


async def test_nothing_is_known_of_firings_that_are_not_there(store: Store) -> None:
    async with store.read() as tx:
        with pytest.raises(Missing):
            await tx.alerts.arrived([404])
