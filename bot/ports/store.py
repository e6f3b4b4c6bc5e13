"""The store as the use cases need it: one repository per aggregate, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from store.differing import Differing
from store.document import Document
from store.records import (
    Addressee,
    Announcement,
    AppEnv,
    AuditAnchor,
    AuditDraft,
    AuditEntry,
    Backlog,
    Case,
    Consignment,
    Delivery,
    DirectCall,
    Event,
    Firing,
    Home,
    InboxItem,
    InboxKind,
    IncludedApp,
    JobState,
    Json,
    Keeping,
    LeftBehind,
    NewInboxItem,
    NewOutgoing,
    NewRollback,
    NewVersion,
    OutboxKind,
    Outgoing,
    Paused,
    PauseOrigin,
    Rollback,
    Search,
    Silenced,
    SinkState,
    Slot,
    State,
    SuggestionsPaused,
    Tag,
    Truncated,
    Version,
)


class Versions(Protocol):
    """Documents by content, and the numbered history of each app@env."""

    async def record(self, new: NewVersion, document: Document) -> Version:
        """Store *document* as a version; what is stored already is returned unchanged.

        Known by (app, env, kind, external_id) for published versions; a draft is known by
        (app, env, root): the same draft content is one row.
        """
        ...

    async def get(self, version_id: int) -> Version: ...
    async def document(self, version_id: int) -> Document:
        """The document, checked against its root. Raises `Missing`, `Corrupt`."""
        ...

    async def differing(self, old: Version, new: Version) -> Differing:
        """Two versions as far as they differ; only what differs, or is not known, is read.

        Raises `Corrupt`.
        """
        ...

    def known(self, rows: Set[int]) -> None:
        """Show these parts, of `Differing.shared`, no more to anybody in this process."""
        ...

    async def newest(self, where: AppEnv) -> Version | None:
        """The numbered version with the highest number."""
        ...

    async def numbered(self, where: AppEnv, number: int) -> Version | None: ...
    async def by_external(self, where: AppEnv, external_id: str) -> Version | None: ...
    async def history(
        self,
        where: AppEnv,
        *,
        limit: int = 50,
        before: int | None = None,
        search: Search = ...,
    ) -> list[Version]:
        """Numbered versions, newest first, below number *before*; at most *limit*."""
        ...

    async def meanings_since(self, older: Version, newer: Version) -> frozenset[str]:
        """What was published of their app after *older*, up to *newer* and with it."""
        ...

    async def drafts(self, where: AppEnv, *, limit: int = 50) -> list[Version]:
        """Drafts by when they were last seen, newest first; at most *limit*."""
        ...

    async def stored(
        self, *, after: int = 0, limit: int = 100, where: AppEnv | None = None
    ) -> list[Version]:
        """Versions and drafts, of *where* or of all apps, by id above *after*; at most *limit*."""
        ...

    async def newest_target_ids(self) -> dict[AppEnv, str]:
        """The id by which targets know the newest numbered version, of every app@env."""
        ...

    async def newest_of_all(self) -> dict[AppEnv, Version]:
        """The numbered version with the highest number, of every app@env."""
        ...

    async def condemned(self, where: AppEnv) -> frozenset[str]:
        """Meanings that must not be suggested here."""
        ...

    async def condemn(
        self, where: AppEnv, meaning: str, *, rollback_id: int | None, entry: AuditDraft
    ) -> None:
        """Condemn *meaning*; condemning it twice is one row."""
        ...

    async def lift(self, where: AppEnv, meaning: str, *, entry: AuditDraft) -> None:
        """Let *meaning* be suggested again; nothing, if it was not condemned."""
        ...

    async def import_mark(self, where: AppEnv) -> int | None:
        """The lowest number imported so far; None before first contact."""
        ...


class Tags(Protocol):
    """Names of versions; each stands on one version of its app@env at a time."""

    async def of(self, where: AppEnv) -> list[Tag]:
        """The tags of *where*, by name."""
        ...

    async def named(self, where: AppEnv, name: str) -> Tag | None: ...
    async def hold(self, where: AppEnv, name: str) -> Tag | None:
        """The tag as `named` has it; nobody moves it before this transaction ends."""
        ...

    async def put(self, version: Version, name: str, *, entry: AuditDraft) -> None:
        """Let the tag *name* of the version's app@env stand on *version*, with *entry*."""
        ...

    async def remove(self, tag: Tag, *, entry: AuditDraft) -> None:
        """Take *tag* away, with *entry*. Raises `Missing` when it is gone, or stands elsewhere."""
        ...


class Retention(Protocol):
    """Clears away what was done and told long ago, by kind: inbox, outbox, webhooks, alerts."""

    async def over(self, keeping: Keeping) -> Mapping[str, int]:
        """How many rows of each kind are older than *keeping* lets them be."""
        ...

    async def clear(self, keeping: Keeping, *, at_most: int) -> Mapping[str, int]:
        """Remove at most *at_most* such rows of each kind, oldest first; return how many went."""
        ...


class Alerts(Protocol):
    """Deliveries and firings as Alertmanager sent them."""

    async def take(self, delivery: Delivery) -> tuple[Firing, ...]:
        """Store a delivery and its firings; a repeat only touches `last_seen` and the count.

        Returns the firings that are new or whose status changed, as stored. A resolved firing
        never becomes firing again for the same `starts_at`.
        """
        ...

    async def take_all(self, deliveries: Collection[Delivery]) -> None:
        """Store several deliveries and their firings, as `take` would one after the other."""
        ...

    async def unassigned(self, apps: Collection[AppEnv], *, limit: int = 200) -> list[Firing]:
        """Alerts of *apps* that fire and that no case has taken in yet, oldest first."""
        ...

    async def free(self, firing_ids: Collection[int]) -> set[int]:
        """Those of *firing_ids* that no case has."""
        ...

    async def unnamed(
        self, *, after: int = 0, limit: int = 500
    ) -> list[tuple[int, Mapping[str, str]]]:
        """Ids and labels of firing alerts without a known app, by id, above id *after*."""
        ...

    async def name(self, firing_ids: Sequence[int], where: AppEnv) -> None:
        """Say which app these firings are about, unless a case has them."""
        ...

    async def assign(self, firing_ids: Sequence[int], case_id: int) -> None: ...
    async def of_case(self, case_id: int) -> list[Firing]:
        """The case's firings by `starts_at`; of a storm those that fire first, and some others."""
        ...

    async def around(
        self, env: str, *, since: datetime, until: datetime, limit: int = 500
    ) -> list[Firing]:
        """Alerts of known apps of *env* that began from *since* to *until*, the newest *limit*."""
        ...

    async def unknown_apps(self) -> list[tuple[str, str, int]]:
        """(app label, env label, firings) of alerts that no configured app answers to."""
        ...

    async def arrived(self, firing_ids: Sequence[int]) -> tuple[datetime, str]:
        """When the first of these firings came, and the digest of the delivery that brought it.

        The digest is "" where it is not among the newest deliveries any more.
        """
        ...

    async def changed(self, *, limit: int = 200) -> list[Firing]:
        """Assigned firings whose status changed since `seen` was called on them."""
        ...

    async def seen(self, firing_ids: Sequence[int]) -> None: ...

    async def outlived(self, *, after: int = 0) -> tuple[dict[int, datetime], int]:
        """Firings whose alert has begun again since, and when; and up to which id none is missed.

        What came at or before id *after* was compared before.
        """
        ...

    async def end(self, ended_at: Mapping[int, datetime]) -> None:
        """End the firings of these ids, unless they have ended."""
        ...


class TruncatedGroups(Protocol):
    """Groups that came cut short; made with their delivery, until the rest of each was fetched."""

    async def claim(self, *, lease: timedelta) -> Truncated | None:
        """The group that is due for longest; nobody else gets it before *lease* is over."""
        ...

    async def completed(self, group: Truncated) -> None:
        """The rest of *group* is stored; what came cut short meanwhile is due again at once."""
        ...

    async def later(self, group: Truncated, delay: timedelta, error: str) -> None:
        """Give *group* back, to be tried again after *delay*."""
        ...

    async def waiting(self) -> int:
        """How many groups there are of which the rest was not fetched yet."""
        ...


class Cases(Protocol):
    """One open case for each app@env."""

    async def open_for(self, where: AppEnv, *, channel: str, entry: AuditDraft) -> Case:
        """The open case of *where*, locked; opened (with *entry*) when there is none."""
        ...

    async def get(self, case_id: int, *, lock: bool = False) -> Case: ...
    async def save(self, after: Case, *, was: int) -> Case:
        """Store *after* over revision *was* as revision was + 1; else raise `Stale`."""
        ...

    async def due(self, apps: Collection[AppEnv], *, limit: int = 20) -> list[Case]:
        """Open cases of *apps* whose `assess_at` has come, by database time; oldest first."""
        ...

    async def open_cases(self) -> list[Case]: ...
    async def opened(self, *, since: datetime, after: int = 0, limit: int = 500) -> list[Case]:
        """Cases that were opened from *since* on, by id above *after*; at most *limit*."""
        ...


class Rollbacks(Protocol):
    """Rollbacks and their votes; the revision decides who wrote."""

    async def open(self, new: NewRollback, *, open_for: timedelta, entry: AuditDraft) -> Rollback:
        """Store a rollback as DRAFT, expiring *open_for* from now.

        Raises:
            OpenRollbackExists: One of its legs' app@env has an open rollback.
        """
        ...

    async def get(self, rollback_id: int, *, lock: bool = False) -> Rollback:
        """The rollback; with *lock* nobody else changes it until the transaction ends."""
        ...

    async def save(self, after: Rollback, *, was: int, entry: AuditDraft | None) -> Rollback:
        """Store *after* over revision *was*, with its lifecycle event and audit entry.

        A change of state needs an *entry*, and must be in the table of legal moves that the
        store was opened with.

        Raises:
            Stale: The row is no longer at revision *was*.
            IllegalMove: No such step; or a change of state without an audit entry.
        """
        ...

    async def in_states(self, states: Sequence[State], *, limit: int = 100) -> list[Rollback]:
        """Rollbacks in these states, oldest first."""
        ...

    async def newest(self, *, limit: int = 20, where: AppEnv | None = None) -> list[Rollback]:
        """The newest rollbacks, newest first; of *where*, or of all apps."""
        ...

    async def lived(self, rollback_id: int) -> list[tuple[datetime, Rollback]]:
        """The rollback as it was after each of its lifecycle events, and when; oldest first."""
        ...

    async def open_of(self, where: AppEnv) -> Rollback | None: ...
    async def completed(self, where: AppEnv, *, since: datetime) -> list[Rollback]:
        """What of *where* was COMPLETED from *since* on, oldest first."""
        ...

    async def opened(
        self, *, since: datetime, where: AppEnv | None = None, after: int = 0, limit: int = 500
    ) -> list[Rollback]:
        """What was opened from *since* on, by id above *after*; of *where*, or of all apps."""
        ...

    async def to_review(self, *, limit: int = 100) -> list[Rollback]:
        """What ran by break-glass and is not reviewed yet, oldest first."""
        ...

    async def watched(self, *, limit: int = 100) -> list[Rollback]:
        """What was COMPLETED, and of which it is still to be seen if it helped, oldest first."""
        ...

    async def renew(self, rollback_id: int, *, owner: str, epoch: int, lease: timedelta) -> bool:
        """Extend the lease if *owner* still holds *epoch*; no revision, no audit entry."""
        ...


class Seals(Protocol):
    """What was sealed for a rollback, one row each; its end erases it, whichever end it is."""

    async def put(self, rollback_id: int, sealed: bytes) -> None:
        """Keep *sealed* in place of what was kept before."""
        ...

    async def get(self, rollback_id: int) -> bytes | None:
        """What is kept; None when nothing is."""
        ...

    async def erase(self, rollback_id: int) -> bool:
        """Forget what is kept; True if there was anything."""
        ...


class Audit(Protocol):
    """The chain of audit entries."""

    async def append(self, entry: AuditDraft) -> None:
        """Append one entry; it is linked to the chain when the transaction commits."""
        ...

    async def append_many(self, entries: Sequence[AuditDraft]) -> None: ...
    async def head(self) -> tuple[int, str]:
        """(seq, hash) of the newest entry; (0, genesis hash) while the chain is empty."""
        ...

    async def find(self, beginning: str) -> int | None:
        """The number of the newest entry whose hash begins so; None when there is none."""
        ...

    async def entries(self, *, after: int = 0, limit: int = 1000) -> list[AuditEntry]: ...
    async def about(self, where: AppEnv, *, limit: int, skip: int = 0) -> list[AuditEntry]:
        """Entries about rollbacks and cases of *where*, and about itself, newest first."""
        ...

    async def count_about(self, where: AppEnv) -> int:
        """How many entries `about` has."""
        ...

    def flaw(self, entry: AuditEntry) -> str:
        """What is wrong with *entry* by itself, wherever it stands; "" when nothing is."""
        ...

    async def about_any(self, resources: Collection[str], *, since: datetime) -> list[AuditEntry]:
        """The entries about any of *resources*, from about *since* on, oldest first.

        Raises:
            Corrupt: One of them cannot be read.
        """
        ...

    async def flaw_in(self, entries: Sequence[AuditEntry]) -> str:
        """What is wrong with *entries* or where they stand in the chain; "" when nothing is."""
        ...


class Inbox(Protocol):
    """What came from Slack, as committed rows that workers claim."""

    async def put(self, item: NewInboxItem) -> bool:
        """Commit *item*; False when the same bytes came before (nothing is stored twice)."""
        ...

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[InboxKind] = tuple(InboxKind)
    ) -> InboxItem | None:
        """The oldest item of these *kinds* that is not done and that nobody holds."""
        ...

    async def finish(self, item_id: int, *, owner: str, outcome: str) -> None:
        """Mark it done in the transaction of its effect. Raises `Stale` when taken over."""
        ...

    async def defer(self, item_id: int, *, owner: str, delay: timedelta, error: str) -> None:
        """Give it back to be tried again after *delay*."""
        ...


class Outbox(Protocol):
    """What is to be sent, in the transaction of the fact that it tells."""

    async def put(self, row: NewOutgoing) -> bool:
        """Queue *row*. False when its dedupe id was put before."""
        ...

    async def claim(
        self, owner: str, *, lease: timedelta, kinds: Collection[OutboxKind] = tuple(OutboxKind)
    ) -> Outgoing | None:
        """The oldest sendable row of *kinds*: head of its `order_key`, due, held by nobody.

        Nothing is given out that goes where somebody was asked to wait: see `throttled`.
        Older unsent rows with the same `coalesce_key` are marked superseded by it.
        """
        ...

    async def sent(self, row_id: int, *, owner: str, reference: str = "") -> None: ...
    async def defer(self, row_id: int, *, owner: str, delay: timedelta, error: str) -> None: ...
    async def throttled(self, row_id: int, *, owner: str, delay: timedelta) -> None:
        """Give it back, and keep all that goes to its destination in the same way for *delay*.

        That holds for every process. What goes to one person goes another way there.
        """
        ...

    async def drop(self, row_id: int, *, owner: str, error: str) -> None:
        """Give up on a row that will never be taken; its order goes on without it."""
        ...

    async def waiting(self) -> int:
        """How many rows are not sent yet."""
        ...

    async def queued(self, order_key: str, kinds: Collection[OutboxKind]) -> list[Outgoing]:
        """Every row of *order_key* and of these *kinds* that is kept, sent or not, oldest first."""
        ...

    async def published(self) -> list[AuditAnchor]:
        """The anchors that were published and are kept, oldest first."""
        ...


class Events(Protocol):
    """The lifecycle events of an aggregate."""

    async def of(self, aggregate: str, aggregate_id: int) -> list[Event]: ...


class Announcements(Protocol):
    """What other systems are told; the repositories write it with the facts."""

    async def newest(self) -> int:
        """The number of the newest one; 0 when there is none."""
        ...

    async def after(
        self, number: int, *, limit: int = 100, where: AppEnv | None = None
    ) -> list[Announcement]:
        """Those above *number*, oldest first; of *where*, or of all apps."""
        ...

    async def about(self, where: AppEnv, subject: str) -> list[Announcement]:
        """Those of *where* about *subject* that are kept, in their order."""
        ...

    async def heads(self) -> dict[AppEnv, int]:
        """How far each app@env has come."""
        ...


class Sinks(Protocol):
    """Where they are sent, and how far each sink has come with each app."""

    async def follow(self, sinks: Mapping[str, bool]) -> None:
        """Know *sinks*; a new one begins now, or with what is kept where its value is True."""
        ...

    async def waits(self, names: Collection[str]) -> bool:
        """Whether something is to be sent to one of *names* that nobody holds."""
        ...

    async def claim(
        self, names: Collection[str], owner: str, *, lease: timedelta, limit: int
    ) -> Consignment | None:
        """The next *limit* events of the app that has waited longest, for one of *names*."""
        ...

    async def delivered(
        self,
        consigned: Consignment,
        *,
        owner: str,
        through: int,
        sent: int,
        keep: timedelta | None = None,
    ) -> None:
        """Move on to *through*, after *sent* were taken; *keep* extends the lease, else it ends.

        This and the next three raise `Stale` when another worker goes on with them.
        """
        ...

    async def down(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink takes nothing now: all of it rests for *delay*."""
        ...

    async def refused(
        self, consigned: Consignment, *, owner: str, delay: timedelta, error: str
    ) -> None:
        """The sink did not take this event: its app waits for *delay*, no other."""
        ...

    async def give_up(
        self, consigned: Consignment, *, owner: str, through: int, count: int, entry: AuditDraft
    ) -> None:
        """Leave *count* events up to *through* out, with *entry*; the rest is held still."""
        ...

    async def rewind(
        self, name: str, where: AppEnv, sequence: int, *, entry: AuditDraft
    ) -> int | None:
        """Let a sink get what follows *sequence* of *where* again; return where it stood.

        None when it is not known. It is moved back alone, never on.
        """
        ...

    async def states(self, *, seen_within: timedelta) -> list[SinkState]:
        """How each sink stands that a process has named lately, by name."""
        ...


class Slots(Protocol):
    """Ticks of scheduled jobs, each claimed once among all processes."""

    async def claim(
        self, job: str, *, period: timedelta, owner: str, lease: timedelta
    ) -> Slot | None:
        """Claim the current tick of *job* (floor of database time / period), or None."""
        ...

    async def finish(self, slot: Slot) -> None: ...


class Schedule(Protocol):
    """How the scheduled jobs fare over all processes, and what people want of them."""

    async def all(self) -> dict[str, JobState]:
        """Every job that ever ran, was paused or asked for, by its name."""
        ...

    async def paused(self, job: str) -> bool: ...
    async def began(self, job: str) -> None:
        """A run begins, whoever runs it."""
        ...

    async def ended(self, job: str, *, failure: str = "") -> None:
        """The run has ended; *failure* names the kind of error, "" when it ended well."""
        ...

    async def pause(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Let no tick run it, with *entry*; False when it is paused already."""
        ...

    async def resume(self, job: str, *, entry: AuditDraft) -> bool:
        """Let its ticks run it again, with *entry*; False when it is not paused."""
        ...

    async def ask(self, job: str, *, by: str, entry: AuditDraft) -> bool:
        """Ask for one run now, with *entry*; False when one is asked for already."""
        ...

    async def take(self, owner: str, *, lease: timedelta) -> JobState | None:
        """The job that was asked for first and that nobody runs yet."""
        ...

    async def done(self, job: str, *, asked_at: datetime | None) -> None:
        """What was asked for was run; nothing happens when somebody else has taken it over."""
        ...


class Homes(Protocol):
    """What each person's App Home shows, and which of them are to be drawn."""

    async def opened(self, slack_id: str, team_id: str) -> None:
        """The person looks at it: it is to be drawn, from its first page."""
        ...

    async def change(
        self,
        slack_id: str,
        team_id: str,
        *,
        page: int | None = None,
        said: Mapping[str, Json] | None = None,
    ) -> None:
        """The person did something there: it is to be drawn, on *page* if given, with *said*."""
        ...

    async def redraw(self, slack_id: str) -> None:
        """What the person asked for has come about; nothing, if they have no home."""
        ...

    async def claim(self, owner: str, *, lease: timedelta, seen_within: timedelta) -> Home | None:
        """One that was asked for, or that was seen lately and before something changed."""
        ...

    async def drawn(
        self, home: Home, *, owner: str, stands: str, substance: str, rest: timedelta
    ) -> None:
        """It stands in Slack under the hash *stands*; what changes elsewhere waits for *rest*."""
        ...

    async def rest(self, delay: timedelta) -> None:
        """Draw nothing for *delay*."""
        ...

    async def defer(self, home: Home, *, owner: str, delay: timedelta) -> None:
        """Give it back to be tried again after *delay*."""
        ...


class Direct(Protocol):
    """Who is called by direct messages, to which rollbacks, and what was told of them."""

    async def call(self, slack_ids: Collection[str], rollback_id: int, code: str) -> None:
        """Call these people to a rollback, each once for the same *code*."""
        ...

    async def look_again(self, rollback_id: int) -> None:
        """Something about the rollback has changed: what was told of it may hold no more."""
        ...

    async def claim(self, owner: str, *, lease: timedelta) -> Addressee | None:
        """The person who is due for longest and whom nobody holds."""
        ...

    async def calls(self, slack_id: str) -> list[DirectCall]:
        """The calls of a person that are not over, oldest first."""
        ...

    async def rest(self, delay: timedelta) -> None:
        """Nobody is told anything for *delay*."""
        ...

    async def of_message(self, slack_id: str, channel: str, ts: str) -> list[DirectCall]:
        """The calls that one message tells, oldest first."""
        ...

    async def save(self, calls: Iterable[DirectCall]) -> None:
        """Store what was told of *calls*, and whether they are over."""
        ...

    async def release(
        self, slack_id: str, *, owner: str, due_in: timedelta | None, told: bool = False
    ) -> None:
        """Give a person back, to be looked at again after *due_in*; *told* counts as a message."""
        ...

    async def is_off(self, slack_id: str) -> bool: ...
    async def switch(self, slack_id: str, *, off: bool, entry: AuditDraft) -> bool:
        """Turn a person's messages off or on, with *entry*; False when they are so already."""
        ...


class Included(Protocol):
    """Apps that are watched without a table of their own."""

    async def all(self) -> list[IncludedApp]:
        """Every app that was ever taken over, by its name; also those that are gone."""
        ...

    async def save(
        self, apps: Iterable[IncludedApp], *, entry: Callable[[IncludedApp], AuditDraft | None]
    ) -> list[IncludedApp]:
        """Store *apps* as they are now; return those that were otherwise, each with its *entry*.

        Raises:
            Stale: The name belongs to another app of a target: somebody else gave it away.
        """
        ...


class Pause(Protocol):
    """The mark of a paused database."""

    async def current(self) -> Paused | None:
        """The mark; None when the database is not paused."""
        ...

    async def mark(self, origin: PauseOrigin, reason: str, *, entry: AuditDraft | None) -> bool:
        """Pause, with *entry*; False when a person finds it paused already: nothing changes."""
        ...

    async def leave_behind(self, paused: Paused) -> LeftBehind:
        """End what was waiting in a copy: nobody knows whether it was done meanwhile."""
        ...

    async def lift(self, *, entry: AuditDraft) -> None:
        """Take the mark away, with *entry*."""
        ...


class Figures(Protocol):
    """What is counted of the whole database, for those who watch the service."""

    async def audited(self, *, after: int, until: int) -> Mapping[tuple[str, str], int]:
        """How many audit entries above seq *after* up to *until*, by action and status."""
        ...

    async def backlogs(self) -> Sequence[Backlog]:
        """How much waits in the inbox and, by where it goes, in the outbox, and since when."""
        ...

    async def ticked(self, jobs: Collection[str]) -> Mapping[str, datetime]:
        """When each of *jobs* was finished last, within the day for which ticks are kept."""
        ...


class Suggestions(Protocol):
    """Where Keyturn suggests nothing for a while, because people said so."""

    async def paused(self, where: AppEnv) -> SuggestionsPaused | None:
        """The pause of *where* that is not over by database time; None for none."""
        ...

    async def pause(
        self, where: AppEnv, until: datetime, *, slack_id: str, reason: str, entry: AuditDraft
    ) -> None:
        """Pause until *until*, in place of any pause before, with *entry*. Raises `Stale`."""
        ...

    async def resume(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the pause of *where*, with *entry*. Raises `Stale`."""
        ...


class Silences(Protocol):
    """Where alerts are silenced in Alertmanager: what is to be so, whatever it holds by now."""

    async def of(self, where: AppEnv) -> Silenced | None:
        """The silence of *where* that is not over by database time; None for none."""
        ...

    async def lately(self, apps: Collection[AppEnv], within: timedelta) -> list[Silenced]:
        """The newest silence of each of *apps*; none that ended longer than *within* ago."""
        ...

    async def begin(
        self,
        where: AppEnv,
        until: datetime,
        *,
        alerts: Sequence[str],
        slack_id: str = "",
        rollback_id: int = 0,
        entry: AuditDraft,
    ) -> Silenced:
        """Silence until *until*, in place of any silence before, with *entry*. Raises `Stale`."""
        ...

    async def end(self, where: AppEnv, *, entry: AuditDraft) -> None:
        """End the silence of *where*, with *entry*. Raises `Stale`."""
        ...


class Transaction(Protocol):
    """One database transaction: all of it or nothing. No HTTP call is made inside one."""

    @property
    def versions(self) -> Versions: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def truncated(self) -> TruncatedGroups: ...
    @property
    def cases(self) -> Cases: ...
    @property
    def rollbacks(self) -> Rollbacks: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def events(self) -> Events: ...
    @property
    def announcements(self) -> Announcements: ...
    @property
    def sinks(self) -> Sinks: ...
    @property
    def slots(self) -> Slots: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def homes(self) -> Homes: ...
    @property
    def direct(self) -> Direct: ...
    @property
    def included(self) -> Included: ...
    @property
    def pause(self) -> Pause: ...
    @property
    def figures(self) -> Figures: ...
    @property
    def suggestions(self) -> Suggestions: ...
    @property
    def silences(self) -> Silences: ...
    async def now(self) -> datetime:
        """Database time, aware, UTC."""
        ...


class Store(Protocol):
    """Where everything is remembered; raises `records.Unavailable` when the database is gone."""

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that locks before it reads; commits at the end, rolls back on error."""
        ...

    def read(self) -> AbstractAsyncContextManager[Transaction]:
        """A read-only snapshot."""
        ...

    async def take_all(self, deliveries: Collection[Delivery]) -> None:
        """Store *deliveries* as `Alerts.take_all` does, in a transaction of their own."""
        ...
