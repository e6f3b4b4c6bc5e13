"""App Home: what each person may see of it, when it is drawn, and what is pressed there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import approval
from bot.domain.home import HomeView, Listed, Part, Said
from bot.domain.policy import Policy
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.services.home import keeping
from bot.services.home.drawing import HomeDrawing
from bot.services.home.jobs import JobButtons, Managers
from bot.services.home.keeping import HomeKeeping
from bot.services.home.recent import KEPT_S, RecentDirectory
from bot.services.home.switching import DirectSwitch
from bot.services.sight import Sight
from store.records import (
    AppEnv,
    InboxKind,
    NewVersion,
    Rollback,
    State,
    Version,
    VersionKind,
    VersionSource,
)
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, NOON, PROD
from tests.unit.services.scene import ENTRY, POLICY, Scene, a_document, a_pending, vote_of

OTHER = AppEnv("kb-search", "prod")
HIDDEN = AppEnv("payroll", "secret")
MANAGERS = "S0MANAGERS"


@dataclass
class House:
    """A scene with the worker of homes; `passed` are the seconds of the look-ups' clock."""

    scene: Scene
    policies: dict[str, Policy]
    managers: tuple[str, ...] = (MANAGERS,)
    passed: float = 0.0
    nudged: int = 0

    def worker(self, owner: str = "h1") -> HomeKeeping:
        scene = self.scene
        recent = RecentDirectory(scene.directory, clock=lambda: self.passed)
        watched = {PROD: CHANNEL}
        sight = Sight(scene.store, recent, watched=watched, policy_of=self.policy_of)
        drawing = HomeDrawing(
            scene.store,
            scene.messenger,
            recent,
            sight,
            policy_of=self.policy_of,
            managers=Managers(recent, self.managers),
            calls=True,
        )
        asked = Managers(scene.directory, self.managers)
        return HomeKeeping(
            scene.store,
            scene.messenger,
            drawing,
            JobButtons(scene.store, scene.directory, asked),
            DirectSwitch(scene.store, scene.directory),
            owner=owner,
            nudge=self._nudge,
            jitter=lambda: -1.0,
        )

    def policy_of(self, where: AppEnv) -> Policy:
        return self.policies.get(where.env, Policy(named=True))

    def _nudge(self) -> None:
        self.nudged += 1

    async def work(self) -> None:
        worker = self.worker()
        while await worker.step():
            pass

    async def put(self, who: str, action: str, value: str = "") -> None:
        payload = {"value": value} if value else {}
        await self.scene.put(InboxKind.HOME, action, who, **payload)

    async def open(self, who: str) -> HomeView:
        """Let *who* look, and return what stands there then."""
        await self.put(who, "opened")
        await self.work()
        return self.home(who)

    async def press(self, who: str, action: str, value: str) -> HomeView:
        await self.put(who, action, value)
        await self.work()
        return self.home(who)

    def home(self, who: str) -> HomeView:
        return self.scene.messenger.homes[who][1]


@pytest.fixture
def house(sqlite_store: Store) -> House:
    return House(Scene.of(sqlite_store), {PROD.env: POLICY})


def rows(home: HomeView, part: Part) -> list[dict[str, Any]]:
    return [dict(row) for row in listed(home, part).rows]


def listed(home: HomeView, part: Part) -> Listed:
    return next(found for found in home.lists if found.part is part)


def notices(home: HomeView) -> list[Said]:
    return [said for said, _ in home.notices]


async def a_card(house: House, **changes: Any) -> Rollback:
    """A rollback that waits, whose card stands."""
    pending = await a_pending(house.scene.store, **changes)
    await house.scene.tell()
    return pending


async def live(store: Store, where: AppEnv, source: VersionSource) -> Version:
    new = NewVersion(
        where=where,
        kind=VersionKind.PUBLISHED,
        source=source,
        external_id=f"{where}-1",
        external_hash="h",
        published_at=NOON - timedelta(hours=1),
    )
    async with store.write() as tx:
        return await tx.versions.record(new, a_document())


# -- What is there, and for whom --------------------------------------------------------------


async def test_a_reviewer_sees_what_waits_for_them_with_the_way_to_its_card(house: House) -> None:
    pending = await a_card(house)

    (row,) = rows(await house.open(ALICE), Part.WAITING)
    case = await house.scene.case(pending)
    assert row["permalink"].endswith(case.card_ts.replace(".", ""))
    assert (row["where"], row["old"], row["new"]) == (str(PROD), 2, 1)
    assert (row["count"], row["needed"]) == (0, 2)
    assert row["until"] == pending.expires_at.isoformat()


async def test_who_has_voted_asked_or_may_not_vote_is_asked_for_nothing(house: House) -> None:
    pending = await a_card(house, requested_by=DAVE)
    await vote_of(house.scene.store, ALICE, pending)

    assert rows(await house.open(ALICE), Part.WAITING) == []
    assert rows(await house.open(DAVE), Part.WAITING) == []
    (theirs,) = rows(await house.open(DAVE), Part.ASKED)
    assert (theirs["state"], theirs["count"]) == ("PENDING_APPROVAL", 1)
    assert len(rows(await house.open(BOB), Part.WAITING)) == 1
    assert rows(house.home(BOB), Part.ASKED) == []


async def test_nothing_waits_in_a_channel_that_others_share(house: House) -> None:
    await a_card(house)
    house.scene.directory.shared.add(CHANNEL)

    assert rows(await house.open(ALICE), Part.WAITING) == []


async def test_what_a_person_may_not_see_is_not_there(house: House) -> None:
    await a_card(house, where=HIDDEN)
    await live(house.scene.store, OTHER, VersionSource.PUBLISHED)

    home = await house.open(ALICE)

    assert str(HIDDEN) not in str(home)
    assert [row["where"] for row in rows(home, Part.APPS)] == [str(OTHER)]


@pytest.mark.parametrize(
    ("flags", "why"), [({"guest": True}, "guest"), ({"bot": True}, "bot"), ({"stranger": True}, "")]
)
async def test_who_is_no_member_gets_a_polite_sentence(
    house: House, flags: dict[str, bool], why: str
) -> None:
    await a_card(house)
    house.scene.directory.change(ALICE, **flags)

    home = await house.open(ALICE)

    assert notices(home) == [Said.STRANGER]
    assert home.notices[0][1]["why"] == (why or "stranger")
    assert (home.lists, home.jobs) == ((), ())


async def test_a_member_whom_no_policy_names_is_told_so(house: House) -> None:
    await a_card(house)
    house.scene.directory.add("U0NOBODY")

    home = await house.open("U0NOBODY")

    assert notices(home) == [Said.NOTHING_SEEN]
    assert (home.lists, home.jobs) == ((), ())


async def test_what_has_drifted_or_is_open_comes_first(house: House) -> None:
    store = house.scene.store
    await live(store, AppEnv("a-calm", "prod"), VersionSource.PUBLISHED)
    await live(store, AppEnv("b-drifted", "prod"), VersionSource.DRIFT)
    await a_card(house, where=AppEnv("c-open", "prod"))

    apps = rows(await house.open(ALICE), Part.APPS)

    assert [row["where"].partition("@")[0] for row in apps] == ["c-open", "b-drifted", "a-calm"]
    assert [row["drift"] for row in apps] == [False, True, False]
    assert apps[0]["state"] == "PENDING_APPROVAL"


async def test_hundreds_of_apps_are_read_in_pages(house: House) -> None:
    for n in range(32):
        await live(house.scene.store, AppEnv(f"app-{n:02}", "prod"), VersionSource.PUBLISHED)

    first = await house.open(ALICE)
    second = await house.press(ALICE, "page.after", "2")
    third = await house.press(ALICE, "page.after", "3")
    beyond = await house.press(ALICE, "page.after", "9")

    assert [len(rows(home, Part.APPS)) for home in (first, second, third)] == [15, 15, 2]
    assert [(h.before, h.after) for h in (first, second, third)] == [(0, 2), (1, 3), (2, 0)]
    assert beyond.page == 3
    assert (await house.open(ALICE)).page == 1


async def test_only_so_many_rows_are_shown_and_the_rest_is_counted(house: House) -> None:
    for n in range(10):
        await a_card(house, where=AppEnv(f"app-{n}", "prod"))

    waiting = listed(await house.open(ALICE), Part.WAITING)

    assert (len(waiting.rows), waiting.more) == (8, 2)


async def test_how_rollbacks_ended_is_told(house: House) -> None:
    pending = await a_card(house)
    async with house.scene.store.write() as tx:
        over = approval.expire(pending, at=pending.expires_at)
        await tx.rollbacks.save(over, was=pending.revision, entry=ENTRY)

    (row,) = rows(await house.open(DAVE), Part.RECENT)

    assert (row["state"], row["outcome"]) == (State.EXPIRED.value, "expired")


async def test_a_press_that_came_to_nothing_is_recorded_and_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PATIENCE", timedelta(seconds=-1))

    home = await house.press(ALICE, "job.run", "prune")

    assert notices(home) == [Said.REFUSED]
    entry = (await house.scene.entries("home."))[-1]
    assert (entry.action, entry.user_id, entry.status) == ("home.job.run", ALICE, "failed")


async def test_while_slack_asks_to_wait_no_home_is_drawn(house: House) -> None:
    house.scene.messenger.failing.append(Throttled("slack", 30.0))
    await house.put(ALICE, "opened")
    await house.put(BOB, "opened")

    await house.work()

    assert house.scene.messenger.published == []


# -- When it is drawn -------------------------------------------------------------------------


async def test_a_vote_is_seen_by_who_looked_lately(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "REST", timedelta(0))
    pending = await a_card(house)
    await house.open(BOB)

    await vote_of(house.scene.store, ALICE, pending)
    await house.work()

    (row,) = rows(house.home(BOB), Part.WAITING)
    assert row["count"] == 1
    assert house.scene.messenger.published == [BOB, BOB]


async def test_what_changes_nothing_for_a_person_is_not_drawn_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "REST", timedelta(0))
    await house.open(BOB)

    await a_pending(house.scene.store, where=HIDDEN)
    await house.work()

    assert house.scene.messenger.published == [BOB]


async def test_a_home_whose_hash_a_crash_hid_is_drawn_over(house: House) -> None:
    await house.open(ALICE)
    _, stands = house.scene.messenger.homes[ALICE]
    house.scene.messenger.homes[ALICE] = ("a hash that nobody stored", stands)

    await house.open(ALICE)

    assert house.scene.messenger.published == [ALICE, ALICE]


@pytest.mark.parametrize("error", [Throttled("slack", 0.0), UpstreamDown("slack", "no answer")])
async def test_while_slack_does_not_take_it_it_waits(house: House, error: UpstreamDown) -> None:
    house.scene.messenger.failing.append(error)

    await house.open(ALICE)

    assert house.scene.messenger.published == [ALICE]


async def test_a_refused_home_is_left_until_it_is_opened_again(house: House) -> None:
    house.scene.messenger.failing.append(UpstreamRefused("slack", "no tab", "not_enabled"))
    await house.put(ALICE, "opened")
    await house.work()
    assert house.scene.messenger.published == []

    await house.open(ALICE)

    assert house.scene.messenger.published == [ALICE]


async def test_many_homes_are_few_look_ups(house: House) -> None:
    await a_card(house)
    await house.open(ALICE)
    worker, asked = house.worker(), house.scene.directory.asked
    for _ in range(5):
        await house.put(ALICE, "opened")
        while await worker.step():
            pass
    first = house.scene.directory.asked - asked

    house.passed += KEPT_S
    await house.put(ALICE, "opened")
    while await worker.step():
        pass

    assert first == 4  # the person, two groups and the channel, for five drawings
    assert house.scene.directory.asked - asked == 2 * first


async def test_an_item_of_no_form_of_ours_is_done_with(house: House) -> None:
    await house.put(ALICE, "page.after", "x")
    await house.put(ALICE, "dance")
    await house.work()

    assert house.scene.messenger.published == []


async def test_a_person_turns_their_own_direct_messages_off_and_on(house: House) -> None:
    assert (await house.open(ALICE)).direct == "on"
    off = await house.press(ALICE, "direct.off", "on")
    assert (off.direct, notices(off)) == ("off", [Said.DIRECT_OFF])
    assert (await house.open(BOB)).direct == "on"

    on = await house.press(ALICE, "direct.on", "off")

    assert (on.direct, notices(on)) == ("on", [Said.DIRECT_ON])
    entries = await house.scene.entries("direct.")
    assert [(e.action, e.user_id) for e in entries] == [
        ("direct.off", ALICE),
        ("direct.on", ALICE),
    ]


async def test_a_guest_turns_nothing_off(house: House) -> None:
    house.scene.directory.change(ALICE, guest=True)
    await house.put(ALICE, "direct.off", "on")
    await house.work()

    (entry,) = await house.scene.entries("direct.")
    assert (entry.action, entry.status) == ("direct.off", "refused")


# -- Jobs -------------------------------------------------------------------------------------


@pytest.fixture
def managed(house: House) -> House:
    """dave may manage jobs."""
    house.scene.directory.groups[MANAGERS] = frozenset({DAVE})
    return house


def presses(home: HomeView) -> dict[str, tuple[str, ...]]:
    return {job.name: job.press for job in home.jobs}


async def test_jobs_have_buttons_for_those_who_are_named_alone(managed: House) -> None:
    theirs, others = presses(await managed.open(DAVE)), presses(await managed.open(ALICE))

    assert theirs["prune"] == ("run", "pause")
    assert theirs["expire"] == ("run",)
    assert set(others.values()) == {()}


async def test_a_paused_job_says_by_whom_and_is_resumed(managed: House) -> None:
    paused = await managed.press(DAVE, "job.pause", "prune")
    assert notices(paused) == [Said.JOB_PAUSED]
    (prune,) = (job for job in paused.jobs if job.name == "prune")
    assert (prune.facts["paused_by"], prune.press) == (DAVE, ("run", "resume"))
    async with managed.scene.store.read() as tx:
        assert await tx.schedule.paused("prune")

    resumed = await managed.press(DAVE, "job.resume", "prune")
    assert notices(resumed) == [Said.JOB_RESUMED]
    entries = await managed.scene.entries("job.")
    assert [(e.action, e.user_id, e.status) for e in entries] == [
        ("job.pause", DAVE, "ok"),
        ("job.resume", DAVE, "ok"),
    ]
    assert notices(await managed.open(DAVE)) == []


async def test_a_job_is_asked_for_once(managed: House) -> None:
    home = await managed.press(DAVE, "job.run", "snapshot")
    assert notices(home) == [Said.JOB_ASKED]
    assert presses(home)["snapshot"] == ("pause",)
    await managed.press(DAVE, "job.run", "snapshot")

    assert managed.nudged == 2
    assert len(await managed.scene.entries("job.run")) == 1


@pytest.mark.parametrize(
    ("who", "action", "job", "code"),
    [
        (ALICE, "job.pause", "prune", "job_not_managed"),
        (ALICE, "job.run", "prune", "job_not_managed"),
        (DAVE, "job.pause", "expire", "job_not_pausable"),
        (DAVE, "job.run", "deliver", "no_such_job"),
    ],
)
async def test_who_may_not_is_told_why_and_it_is_recorded(
    managed: House, who: str, action: str, job: str, code: str
) -> None:
    home = await managed.press(who, action, job)

    assert notices(home) == [Said.REFUSED]
    (entry,) = await managed.scene.entries("job.")
    assert (entry.status, entry.what["code"], entry.resource) == ("refused", code, f"job/{job}")
    async with managed.scene.store.read() as tx:
        assert not (await tx.schedule.all()).get(job)


async def test_who_may_is_asked_afresh_when_it_is_pressed(managed: House) -> None:
    await managed.open(DAVE)
    managed.scene.directory.leave(DAVE, MANAGERS)

    assert notices(await managed.press(DAVE, "job.pause", "prune")) == [Said.REFUSED]


async def test_while_slack_cannot_say_who_it_is_nothing_is_decided(managed: House) -> None:
    managed.scene.directory.down = True
    await managed.put(DAVE, "job.pause", "prune")
    assert await managed.worker().step()
    managed.scene.directory.down = False

    await managed.work()

    assert notices(managed.home(DAVE)) == [Said.JOB_PAUSED]


async def test_jobs_are_told_in_words(managed: House) -> None:
    await managed.press(DAVE, "job.pause", "prune")
    await managed.scene.command(CAROL, "jobs")
    await managed.scene.judge(kinds=(InboxKind.COMMAND,))
    await managed.scene.tell()

    note = managed.scene.messenger.answers[-1].note
    assert note.code == "jobs"
    paused = {row["job"]: row["paused_by"] for row in note.facts["rows"]}
    assert paused["prune"] == DAVE
    assert set(paused) >= {"snapshot", "expire", "recover"}


async def test_whom_no_policy_names_is_told_of_no_job_unless_they_manage_them(
    managed: House,
) -> None:
    scene = managed.scene
    scene.directory.add("U0NOBODY")
    for named, managers in ((set(), ()), ({"prune"}, ("U0NOBODY",))):
        await scene.command("U0NOBODY", "jobs")
        await scene.judge(kinds=(InboxKind.COMMAND,), job_managers=managers)
        await scene.tell()

        note = scene.messenger.answers[-1].note
        assert note.code == "jobs"
        assert named <= {row["job"] for row in note.facts["rows"]}
        assert bool(note.facts["rows"]) is bool(named)


async def test_a_guest_is_told_of_no_job(managed: House) -> None:
    managed.scene.directory.change(CAROL, guest=True)
    await managed.scene.command(CAROL, "jobs")
    await managed.scene.judge(kinds=(InboxKind.COMMAND,))
    await managed.scene.tell()

    assert managed.scene.messenger.answers[-1].note.code == "refused"
