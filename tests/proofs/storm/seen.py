"""What came of a storm: what the store holds, and what people saw in Slack."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col

from bot.playground.slack import people
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message
from store.tables import CaseRow, FiringRow, InboxRow, OutboxRow
from tests.proofs.storm.alerts import Alert
from tests.proofs.storm.pair import Known
from tests.proofs.storm.witness import FIRING, RESOLVED


@dataclass(frozen=True)
class Stored:
    """Every alert that the store holds, with its status."""

    status: Mapping[Known, str]
    twice: int  # rows of one alert, beyond the first
    by_instance: Mapping[str, Sequence[tuple[datetime, str]]]

    @classmethod
    async def read(cls, engine: AsyncEngine) -> Stored:
        """Read them all."""
        names = (FiringRow.fingerprint, FiringRow.starts_at, FiringRow.status, FiringRow.labels)
        async with engine.connect() as connection:
            rows = (await connection.execute(select(*map(col, names)))).all()
        status: dict[Known, str] = {}
        instances: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for fingerprint, starts_at, said, labels in rows:
            status[fingerprint, starts_at] = said
            instances[labels.get("instance", "")].append((starts_at, said))
        return cls(status, len(rows) - len(status), instances)

    def broken(
        self,
        acknowledged: Mapping[Known, str],
        held: Collection[Known] | None = None,
        alerts: Iterable[Alert] = (),
    ) -> list[str]:
        """What was acknowledged, is *held* by Alertmanager or was told to it, and is not here.

        Nor may anything fire here that does not fire there.
        """
        lost = [name for name in acknowledged if name not in self.status]
        unheard = [name for name in held or () if name not in self.status]
        fire = [name for name, said in self.status.items() if said == FIRING]
        stale = [name for name in fire if held is not None and name not in held]
        ends = [
            name
            for name, said in acknowledged.items()
            if said == RESOLVED and self.status.get(name, RESOLVED) != RESOLVED
        ]
        other = [alert.instance for alert in alerts if not self._as_told(alert)]
        found: dict[str, Sized] = {
            "acknowledged and not stored": lost,
            "an end that was acknowledged is not stored": ends,
            "held by Alertmanager and not stored": unheard,
            "fires in the store alone": stale,
            "stored otherwise than it was told": other,
            "stored twice": range(self.twice),
        }
        return [f"{len(some)} × {what}" for what, some in found.items() if some]

    def _as_told(self, alert: Alert) -> bool:
        """Whether the newest firing of *alert* is as Alertmanager was told last."""
        rows = self.by_instance.get(alert.instance, ())
        newest, said = max(rows, default=(None, ""))
        return newest == alert.starts_at and (said == RESOLVED) == (alert.ends_at is not None)


@dataclass
class Seen:
    """The cards of each app, and which of them nobody was to see."""

    cards: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    again: list[Message] = field(default_factory=list)  # a crash came before it was noted
    threads: Counter[str] = field(default_factory=Counter)  # cards with answers below, by app
    said_twice: int = 0  # sentences in a thread

    @classmethod
    async def read(cls, engine: AsyncEngine, slack: SlackState) -> Seen:
        """Look at the channel, and at which cards the store knows."""
        async with engine.connect() as connection:
            query = select(col(CaseRow.id), col(CaseRow.app), col(CaseRow.card_ts))
            cases = {row.id: row for row in (await connection.execute(query)).all()}
        seen = cls()
        for message in slack.messages(people.INCIDENTS):
            case = cases.get(_case_of(message))
            if case is None:
                continue
            seen.cards[case.app].append(message)
            if message.ts != case.card_ts:
                seen.again.append(message)
            said = [reply.text for reply in slack.thread(people.INCIDENTS, message.ts)]
            seen.threads[case.app] += bool(said)
            seen.said_twice += len(said) - len(set(said))
        return seen

    def broken(self, apps: Collection[str], *, killed: int) -> list[str]:
        """Apps without a card, with two threads, and cards that no crash explains."""
        again = Counter(app for app, cards in self.cards.items() for c in cards if c in self.again)
        odd = [app for app in apps if len(self.cards[app]) - again[app] != 1]
        forked = [app for app, number in self.threads.items() if number > 1]
        found = {
            f"apps without exactly one card: {odd}": odd,
            f"apps with two threads: {forked}": forked,
            f"{again.total()} cards more than one each after {killed} kills": again.total()
            > killed,
        }
        return [what for what, is_so in found.items() if is_so]


async def leases_are_over(engine: AsyncEngine) -> None:
    """Let what killed processes had in hand be free now, in place of a minute and a half later."""
    async with engine.begin() as connection:
        await connection.execute(
            update(OutboxRow)
            .where(col(OutboxRow.lease_until).is_not(None))
            .values(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
        )


async def clicks_waiting(engine: AsyncEngine) -> int:
    """How many clicks nobody has judged yet."""
    query = select(func.count()).select_from(InboxRow).where(col(InboxRow.done_at).is_(None))
    async with engine.connect() as connection:
        return await connection.scalar(query) or 0


def has_button(message: Message) -> bool:
    """Whether people can approve on it."""
    elements = [e for block in message.blocks for e in block.get("elements", ())]
    return any(e.get("action_id") == "rollback.approve" for e in elements)


def _case_of(message: Message) -> int:
    payload = (message.metadata or {}).get("event_payload", {})
    return int(payload.get("case_id", 0))
