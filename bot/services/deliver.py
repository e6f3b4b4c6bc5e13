"""The worker of the outbox: tells people, in order, what the store holds by then.

A row is claimed, drawn from the store, sent, and marked, in that order: a crash between sending
and marking tells it twice, and never not at all.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bot import spans
from bot.domain import drill, dry_run, dry_run_told
from bot.domain.anchoring import SAID
from bot.domain.chart.kept import from_json
from bot.domain.diff.label import visible
from bot.domain.diff.text import as_text
from bot.domain.words import NoteCode
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.log import bound
from bot.ports.people import Messenger, Note
from bot.ports.store import Store, Transaction
from bot.services.answer import Answers
from bot.services.calling import Calling
from bot.services.dialogs import Dialogs, Told
from bot.services.drawing import Address, Differences, Drawing, Shown
from bot.services.slack_says import CANNOT_EDIT, TO_MEND
from bot.services.waiting import backoff
from store.records import (
    TO_PEOPLE,
    Case,
    Corrupt,
    Leg,
    Missing,
    OutboxKind,
    Outgoing,
    Rollback,
    Stale,
    Version,
)

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=90)  # longer than the calls that one row needs, uploads included
_MEND_FIRST_S, _MEND_LONGEST_S = 15.0, 300.0
_HELD = timedelta(seconds=30)  # until it is looked at again whether we are still paused
_MENDED_WITHIN = timedelta(days=7)  # nobody waits any more for what is older


class Deliver:
    """Sends what is to be told; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        messenger: Messenger,
        drawing: Drawing,
        differences: Differences,
        *,
        owner: str,
        jitter: Callable[[], float],
        lease: timedelta = LEASE,
        address: Address | None = None,
        calling: Calling | None = None,
        sre_channel: str = "",
    ) -> None:
        """Take what sending needs; *jitter* gives a number from 0 to 1, another each time.

        With an *address* answers link to pages; without *calling* nobody is told directly, and
        without an *sre_channel* nobody of core parameters.
        """
        self._store = store
        self._messenger = messenger
        self._drawing = drawing
        self._differences = differences
        self._answers = Answers(store, messenger, differences, address, drawing.sign)
        self._dialogs = Dialogs(store, messenger, self._answers, owner=owner)
        self._calling = calling
        self._sre_channel = sre_channel
        self._owner = owner
        self._jitter = jitter
        self._lease = lease
        self._trouble: dict[str, str] = {}

    @property
    def trouble(self) -> dict[str, str]:
        """Channels that refused the last row of a case, with the code of why."""
        return dict(self._trouble)

    async def step(self) -> bool:
        """Send the oldest row that may leave; False when there is none.

        A row that cannot be sent now waits its turn at the head of its order, also while the
        channel or the app's rights are not as they should be; one that never will be sent is
        dropped. Both are kept in `trouble` until something goes through there.
        """
        async with self._store.write() as tx:
            row = await tx.outbox.claim(self._owner, lease=self._lease, kinds=TO_PEOPLE)
            if row is not None and await self._held(tx, row):
                return True
        if row is None:
            return False
        row = self._addressed(row)
        with bound(outbox=row.id, kind=row.kind.value):
            try:
                if await self._told(row):
                    self._trouble.pop(row.destination, None)
            except Throttled as error:
                await self._be_quiet(row, error)
            except UpstreamDown as error:
                await self._later(row, error, backoff(row.attempts, jitter=self._jitter()))
            except UpstreamRefused as error:
                await self._refused(row, error)
            except (Missing, Corrupt) as error:
                await self._drop(row, type(error).__name__, str(error))
            except Stale:
                log.warning("row taken over by another worker")
        return True

    def _addressed(self, row: Outgoing) -> Outgoing:
        """*row*; what is told of core parameters goes to the channel that is configured by now.

        One that was mistaken, and is mended, must not hold it up.
        """
        if row.kind is OutboxKind.NOTICE and row.body["code"] == NoteCode.CORE_CHANGED:
            return replace(row, destination=self._sre_channel)
        return row

    async def _told(self, row: Outgoing) -> bool:
        """`_send`, as a part of the case that it tells of."""
        case_id = row.body.get("case_id")
        if not isinstance(case_id, int):
            return await self._send(row)
        with spans.span(f"tell.{row.kind.value}", of=spans.case(case_id), outbox=row.id):
            return await self._send(row)

    async def _send(self, row: Outgoing) -> bool:
        """Send *row*; False when it waits instead."""
        match row.kind:
            case OutboxKind.CARD:
                await self._card(row)
            case OutboxKind.NOTE:
                await self._note(row)
            case OutboxKind.SNIPPET:
                await self._snippet(row)
            case OutboxKind.PICTURE:
                await self._picture(row)
            case OutboxKind.CHART:
                await self._chart(row)
            case OutboxKind.NOTICE:
                await self._notice(row)
            case OutboxKind.CALL:
                await (self._sent(row) if self._calling is None else self._calling.spread(row))
            case OutboxKind.ANSWER:
                return await self._answer(row)
        return True

    # -- the kinds -------------------------------------------------------------------------

    async def _card(self, row: Outgoing) -> None:
        shown = await self._drawing.card(row.body["case_id"])
        ts = await self._show(shown)
        async with self._store.write() as tx:
            if ts != shown.case.card_ts:
                case = await tx.cases.get(shown.case.id, lock=True)
                await tx.cases.save(replace(case, card_ts=ts), was=case.revision)
            if shown.case.rollback_id is not None:  # what a card shows anew, messages said before
                await tx.direct.look_again(shown.case.rollback_id)
            await tx.outbox.sent(row.id, owner=self._owner, reference=ts)

    async def _note(self, row: Outgoing) -> None:
        case = await self._with_card(row.body["case_id"])
        note = await self._answers.complete(row.body["code"], row.body["facts"])
        note = await self._marked(note, case.id)
        await self._messenger.reply(note, channel=case.channel, ts=case.card_ts)
        await self._sent(row)

    async def _snippet(self, row: Outgoing) -> None:
        case = await self._with_card(row.body["case_id"])
        _, old, new = await self._sides(row)
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(row.body["rollback_id"])
        changes = await self._differences.shown(self._store, rollback)
        more = len(rollback.legs) - 1
        title = _title(old, new, rollback) + (f", and {more} more" if more else "")
        await self._messenger.attach(
            _dry_run(rollback) + as_text(changes, title=title),
            filename=f"{_file_name(old, new)}.diff",
            title=title,
            channel=case.channel,
            ts=case.card_ts,
        )
        await self._sent(row)

    async def _picture(self, row: Outgoing) -> None:
        case = await self._with_card(row.body["case_id"])
        leg, old, new = await self._sides(row)
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(row.body["rollback_id"])
        drawn = await self._differences.picture(self._store, leg)
        if drawn is not None:
            await self._messenger.draw(
                drawn,
                filename=f"{_file_name(old, new)}.png",
                title=_title(old, new, rollback),
                channel=case.channel,
                ts=case.card_ts,
            )
        await self._sent(row)

    async def _chart(self, row: Outgoing) -> None:
        case = await self._with_card(row.body["case_id"])
        view = from_json(row.body["chart"])
        await self._messenger.chart(
            view,
            filename=f"{view.where}.png",
            title=f"{view.where}: {view.alert}",
            channel=case.channel,
            ts=case.card_ts,
        )
        await self._sent(row)

    async def _sides(self, row: Outgoing) -> tuple[Leg, Version, Version]:
        """What the leg that *row* is about changes, from what was live to where it goes."""
        position = row.body.get("leg", 0)  # an older release queues none
        async with self._store.read() as tx:
            leg = (await tx.rollbacks.get(row.body["rollback_id"])).legs[position]
            old = await tx.versions.get(leg.from_version_id)
            return leg, old, await tx.versions.get(leg.to_version_id)

    async def _notice(self, row: Outgoing) -> None:
        if not row.destination:  # nobody wants to know any more
            async with self._store.write() as tx:
                await tx.outbox.drop(row.id, owner=self._owner, error="no channel is configured")
            return
        note = await self._answers.complete(row.body["code"], row.body["facts"])
        if "case_id" in row.body:
            note = await self._marked(note, row.body["case_id"])
        await self._messenger.reply(note, channel=row.destination, ts="")
        await self._sent(row)

    async def _marked(self, note: Note, case_id: int) -> Note:
        """*note*; of a case that is a drill it says so, and some carry the audit chain's head."""
        async with self._store.read() as tx:
            seq, head = await tx.audit.head()
            case = await tx.cases.get(case_id)
            rollback = await tx.rollbacks.get(case.rollback_id) if case.rollback_id else None
            mark = drill.mark(rollback)
            if rollback is None:
                mark = drill.mark_of(await tx.alerts.of_case(case.id))
        record = {"audit_seq": seq, "audit_head": head} if note.code in SAID else {}
        return replace(note, facts={**note.facts, **mark, **record})

    async def _answer(self, row: Outgoing) -> bool:
        body = row.body
        if "window" in body and (told := await self._dialogs.fill(row)) is not Told.NOT:
            return told is Told.YES
        note = await self._answers.complete(body["code"], body["facts"])
        to = {"channel": body["channel"], "slack_id": body["slack_id"], "ts": body["ts"]}
        try:
            await self._messenger.answer(note, **to, response_url=body["response_url"])
        except UpstreamRefused:
            if not body["response_url"]:
                raise
            # five uses or thirty minutes are over: the channel is the other way to that person
            await self._messenger.answer(note, **to, response_url="")
        await self._sent(row)
        return True

    # -- cards ----------------------------------------------------------------------------------

    async def _show(self, shown: Shown) -> str:
        """Post or redraw the card; one that is gone or cannot be edited is posted again."""
        where = {"channel": shown.case.channel}
        try:
            return await self._messenger.show(shown.view, **where, ts=shown.case.card_ts)
        except UpstreamRefused as error:
            if error.upstream_code not in CANNOT_EDIT or not shown.case.card_ts:
                raise
            facts = {"case": shown.case.id, "why": error.upstream_code}
            log.warning("card cannot be redrawn; posted again", extra=facts)
            return await self._messenger.show(shown.view, **where, ts="")

    async def _with_card(self, case_id: int) -> Case:
        """Return the case with its card standing.

        The card's own row comes first in the order, but a newer one may have taken its place
        further back: then the card is posted here, since a thread needs its head.
        """
        async with self._store.read() as tx:
            case = await tx.cases.get(case_id)
        if case.card_ts:
            return case
        ts = await self._show(await self._drawing.card(case_id))
        async with self._store.write() as tx:
            case = await tx.cases.get(case_id, lock=True)
            return await tx.cases.save(replace(case, card_ts=ts), was=case.revision)

    # -- afterwards -----------------------------------------------------------------------------

    async def _sent(self, row: Outgoing) -> None:
        async with self._store.write() as tx:
            await tx.outbox.sent(row.id, owner=self._owner)

    async def _later(
        self, row: Outgoing, error: UpstreamDown | UpstreamRefused, delay: timedelta
    ) -> None:
        log.warning("row has to wait", extra={"why": error.code, "attempts": row.attempts})
        async with self._store.write() as tx:
            await tx.outbox.defer(row.id, owner=self._owner, delay=delay, error=str(error))

    async def _refused(self, row: Outgoing, error: UpstreamRefused) -> None:
        """Keep what tells of a case until the mistake is mended; the rest will never be sent."""
        code = error.upstream_code or error.code
        async with self._store.read() as tx:
            age = await tx.now() - row.created_at
        mendable = row.kind is not OutboxKind.ANSWER and code in TO_MEND
        if not mendable or age > _MENDED_WITHIN:
            await self._drop(row, code, str(error))
            return
        log.error("channel has to be mended", extra={"destination": row.destination, "why": code})
        self._trouble[row.destination] = code
        delay = backoff(
            row.attempts,
            jitter=self._jitter(),
            first_s=_MEND_FIRST_S,
            longest_s=_MEND_LONGEST_S,
        )
        await self._later(row, error, delay)

    async def _be_quiet(self, row: Outgoing, error: Throttled) -> None:
        """Send nothing that way before Slack's time is over: limits are a channel's, not a row's.

        https://docs.slack.dev/apis/web-api/rate-limits
        """
        log.warning("asked to wait", extra={"seconds": error.retry_after_s})
        delay = timedelta(seconds=error.retry_after_s)
        async with self._store.write() as tx:
            await tx.outbox.throttled(row.id, owner=self._owner, delay=delay)

    async def _held(self, tx: Transaction, row: Outgoing) -> bool:
        """Give *row* back if it tells of a case that a copy has from before it was one.

        What the copy holds of it may be older than what its card in Slack says.
        """
        paused, case_id = await tx.pause.current(), row.body.get("case_id")
        if paused is None or case_id is None or case_id > paused.case_until:
            return False
        await tx.outbox.defer(row.id, owner=self._owner, delay=_HELD, error="paused")
        return True

    async def _drop(self, row: Outgoing, code: str, why: str) -> None:
        log.error("row dropped", extra={"destination": row.destination, "why": code})
        if row.kind is not OutboxKind.ANSWER:  # that one person cannot be told is no fault of ours
            self._trouble[row.destination] = code
        async with self._store.write() as tx:
            await tx.outbox.drop(row.id, owner=self._owner, error=why)


def _title(old: Version, new: Version, rollback: Rollback) -> str:
    mark = "Drill: " if rollback.drill else ""
    return f"{mark}{new.where}: version {old.number} to {new.number}"


def _dry_run(rollback: Rollback) -> str:
    """What the dry run found, in full, app after app; "" when that is nothing."""
    lines: list[str] = []
    for leg in rollback.legs:
        found = dry_run.hitches_in(leg.dry_run)
        if found:
            lines += [str(leg.where)] if rollback.joint else []
            lines += dry_run_told.in_full(found, env=leg.where.env)
    return "".join(f"{visible(line)}\n" for line in [*lines, ""] if lines)


def _file_name(old: Version, new: Version) -> str:
    return f"{_plain(new.where.app)}-v{old.number}-to-v{new.number}"


def _plain(app: str) -> str:
    """*app* as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", app).strip("._")[:60] or "app"
