"""A sink that is a Kafka topic. Its library is an extra: `keyturn[kafka]`.

The key of a record is its app@env, so that all of an app's events are in one partition, in order.
A producer is idempotent and waits for all replicas
(https://aiokafka.readthedocs.io/en/stable/producer.html#idempotent-produce).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

from bot.domain import cloudevent
from bot.errors import UpstreamDown, UpstreamRefused
from store.records import Announcement

_CONTENT = ("content-type", f"{cloudevent.CONTENT_TYPE}; charset=utf-8".encode())
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
        self._turn = asyncio.Lock()

    async def send(self, events: Sequence[Announcement]) -> None:
        producer = await self._opened()
        for announcement in events:
            value = json.dumps(
                cloudevent.event(announcement, self._base),
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    await producer.send_and_wait(
                        self._topic,
                        value=value,
                        key=str(announcement.where).encode(),
                        headers=[_CONTENT],
                    )
            except (self._errors.KafkaError, TimeoutError, OSError) as error:
                await self._give_back(producer)
                raise self._named(error) from error

    async def greet(self) -> None:
        """Ask for the topic's partitions."""
        producer = await self._opened()
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await producer.partitions_for(self._topic)
        except (self._errors.KafkaError, TimeoutError, OSError) as error:
            raise self._named(error) from error

    async def close(self) -> None:
        async with self._turn:
            producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _opened(self) -> Any:
        """The producer; one that failed was thrown away, so that nothing of it comes late."""
        async with self._turn:
            if self._producer is None:
                library = self._library()
                producer = library.AIOKafkaProducer(**self._options())
                try:
                    async with asyncio.timeout(self._timeout.total_seconds()):
                        await producer.start()
                except (self._errors.KafkaError, TimeoutError, OSError) as error:
                    await _stopped(producer)
                    raise self._named(error) from error
                self._producer = producer
            return self._producer

    async def _give_back(self, producer: Any) -> None:
        async with self._turn:
            if self._producer is producer:
                self._producer = None
        await _stopped(producer)

    def _options(self) -> dict[str, Any]:
        broker = self._broker
        login = bool(broker.mechanism)
        protocol = ("SASL_" if login else "") + ("SSL" if broker.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": list(broker.servers),
            "client_id": "keyturn",
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": int(self._timeout.total_seconds() * 1000),
            "security_protocol": protocol,
        }
        if broker.tls:
            options["ssl_context"] = ssl.create_default_context(cafile=broker.ca_file or None)
        if login:
            options |= {
                "sasl_mechanism": broker.mechanism,
                "sasl_plain_username": broker.user,
                "sasl_plain_password": broker.password,
            }
        return options

    def _library(self) -> Any:
        try:
            return import_module("aiokafka")
        except ImportError as error:
            mend = "install keyturn[kafka]; the library aiokafka is not there"
            raise UpstreamDown(self._name, mend) from error

    @property
    def _errors(self) -> Any:
        return import_module("aiokafka.errors")

    def _named(self, error: Exception) -> UpstreamDown | UpstreamRefused:
        kind = type(error).__name__
        if kind in _REFUSED:
            return UpstreamRefused(self._name, kind)
        said = "no answer in time" if isinstance(error, TimeoutError) else kind
        return UpstreamDown(self._name, said)


async def _stopped(producer: Any) -> None:
    """Stop *producer*, which may be in any state; what it still has is sent again later."""
    with suppress(import_module("aiokafka.errors").KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(5):
            await producer.stop()


def installed() -> bool:
    """Whether the library is there."""
    try:
        import_module("aiokafka")
    except ImportError:
        return False
    return True
