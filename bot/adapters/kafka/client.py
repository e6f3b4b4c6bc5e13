"""A sink that is a Kafka topic. Its library is an extra: `keyturn[kafka]`.

The key of a record is its app@env, so that all of an app's events are in one partition, in order.
A producer is idempotent and waits for all replicas
(https://aiokafka.readthedocs.io/en/stable/producer.html#idempotent-produce).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from bot.domain import cloudevent
from bot.errors import UpstreamDown, UpstreamRefused
from store.records import Announcement

_CONTENT = ("content-type", f"{cloudevent.CONTENT_TYPE}; charset=utf-8".encode())
_END_S = 2.0
_REFUSED = ("MessageSizeTooLargeError", "RecordTooLargeError", "InvalidTopicError")


@dataclass(frozen=True)
class Broker:
    """Where the brokers are, and how they let us in; no *mechanism* is no login."""

    servers: tuple[str, ...]
    tls: bool = False
    ca_file: str = ""
    mechanism: str = ""
    user: str = ""
    password: str = ""


class KafkaTopic:
    """Sends one record after the other; each is on all replicas in sync when `send` returns."""

    at_once = 1

    def __init__(
        self, name: str, *, topic: str, broker: Broker, base: str, timeout: timedelta
    ) -> None:
        """Take what sending needs; nothing is opened yet, and the library not loaded."""
        self._name = name
        self._topic = topic
        self._broker = broker
        self._base = base
        self._timeout = timeout
        self._producer: Any = None
        self._leaving: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def send(self, events: Sequence[Announcement]) -> None:
        for announcement in events:
            value = json.dumps(
                cloudevent.event(announcement, self._base),
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
            key = str(announcement.where).encode()
            async with self._opened() as producer:
                await producer.send_and_wait(self._topic, value=value, key=key, headers=[_CONTENT])

    async def greet(self) -> None:
        """Ask for the topic's partitions."""
        async with self._opened() as producer:
            await producer.partitions_for(self._topic)

    async def close(self) -> None:
        self._throw_away()
        if self._leaving is not None:
            await self._leaving

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Any]:
        """The producer, for as long as one event may take.

        One that failed is thrown away, and the next is begun when it has ended, so that nothing
        that it still had comes after what the next one sends.
        """
        library = self._library()
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                yield await self._begun(library)
        except (library.errors.KafkaError, TimeoutError, OSError) as error:
            self._throw_away()
            raise self._named(error) from error
        except asyncio.CancelledError:
            self._throw_away()
            raise

    async def _begun(self, library: Any) -> Any:
        async with self._turn:
            if self._leaving is not None:
                await asyncio.shield(self._leaving)
                self._leaving = None
            if self._producer is None:
                self._producer = library.AIOKafkaProducer(**options(self._broker, self._timeout))
                await self._producer.start()
            return self._producer

    def _throw_away(self) -> None:
        """Let the producer end: what it still has is sent within the request's time, or never."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._leaving = asyncio.create_task(_end(producer, self._library(), self._leaving))

    def _library(self) -> Any:
        try:
            import_module("aiokafka.errors")
            return import_module("aiokafka")
        except ImportError as error:
            mend = "install keyturn[kafka]; the library aiokafka is not there"
            raise UpstreamDown(self._name, mend) from error

    def _named(self, error: Exception) -> UpstreamDown | UpstreamRefused:
        kind = type(error).__name__
        if kind in _REFUSED:
            return UpstreamRefused(self._name, kind)
        said = "no answer in time" if isinstance(error, TimeoutError) else kind
        return UpstreamDown(self._name, said)


def options(broker: Broker, timeout: timedelta) -> dict[str, Any]:
    """What a producer is made with; the certificates are read."""
    login = bool(broker.mechanism)
    protocol = ("SASL_" if login else "") + ("SSL" if broker.tls else "PLAINTEXT")
    made: dict[str, Any] = {
        "bootstrap_servers": list(broker.servers),
        "client_id": "keyturn",
        "acks": "all",
        "enable_idempotence": True,
        "request_timeout_ms": int(timeout.total_seconds() * 1000),
        "security_protocol": protocol,
    }
    if broker.tls:
        made["ssl_context"] = ssl.create_default_context(cafile=broker.ca_file or None)
    if login:
        made |= {
            "sasl_mechanism": broker.mechanism,
            "sasl_plain_username": broker.user,
            "sasl_plain_password": broker.password,
        }
    return made


async def _end(producer: Any, library: Any, before: asyncio.Task[None] | None) -> None:
    """Stop *producer*, whatever state it is in, after the one *before* it.

    It would wait for brokers that are gone until they are back: after a while it is made to forget
    what it still has, by its insides, since aiokafka (0.14) has no other way.
    """
    if before is not None:
        await before
    stopping = asyncio.create_task(producer.stop())
    await asyncio.wait([stopping], timeout=_END_S)
    if not stopping.done():
        producer._message_accumulator.fail_all(library.errors.KafkaTimeoutError())
        producer._sender.sender_task.cancel()
    with suppress(library.errors.KafkaError, OSError, asyncio.CancelledError):
        await stopping


def installed() -> bool:
    """Whether the library is there."""
    try:
        import_module("aiokafka")
    except ImportError:
        return False
    return True
