"""Events in a topic: one key an app, all replicas in sync, and nothing late after an error.

The brokers are librdkafka's mock cluster: real sockets and Kafka's protocol, reached by another
client than the one that made them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.kafka.client import Broker, KafkaTopic, options
from bot.errors import UpstreamDown
from store.records import AppEnv
from tests.builders import PROD
from tests.unit.domain.test_cloudevent import an_announcement

confluent = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed")
aiokafka = pytest.importorskip("aiokafka", reason="the extra kafka is not installed")
TOPIC = "keyturn"


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Two brokers, for as long as their client lives."""
    cluster = confluent.Producer(
        {"test.mock.num.brokers": 2, "bootstrap.servers": "mock", "log_level": 0}
    )
    found = cluster.list_topics(timeout=10).brokers.values()
    yield Broker(tuple(f"{one.host}:{one.port}" for one in found))
    cluster.flush(1)


@asynccontextmanager
async def topic(broker: Broker, timeout_s: float = 10.0) -> AsyncIterator[KafkaTopic]:
    sink = KafkaTopic(
        "events.stream",
        topic=TOPIC,
        broker=broker,
        base="",
        timeout=timedelta(seconds=timeout_s),
    )
    try:
        yield sink
    finally:
        await sink.close()


async def records(broker: Broker, count: int) -> list[Any]:
    """The first *count* records of the topic, as another consumer reads them."""
    consumer = aiokafka.AIOKafkaConsumer(
        TOPIC, bootstrap_servers=list(broker.servers), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_an_apps_events_are_in_one_partition_in_their_order(broker: Broker) -> None:
    other = AppEnv("kb-search", "prod")
    sent = [an_announcement(sequence=n, id=f"e-{n}") for n in range(1, 8)]
    async with topic(broker) as sink:
        for one in sent:
            await sink.send([one])
            await sink.send([an_announcement(where=other, id=f"o-{one.id}")])

    got = await records(broker, 14)

    mine = [one for one in got if one.key == str(PROD).encode()]
    assert len({one.partition for one in mine}) == 1
    told = [json.loads(one.value)["id"] for one in sorted(mine, key=lambda one: one.offset)]
    assert told == [one.id for one in sent]
    assert dict(mine[0].headers)["content-type"].startswith(b"application/cloudevents+json")


async def test_brokers_that_are_not_there_are_said() -> None:
    async with topic(Broker(("127.0.0.1:9",)), timeout_s=2) as sink:
        with pytest.raises(UpstreamDown):
            await sink.send([an_announcement()])


async def test_brokers_that_are_gone_are_said() -> None:
    cluster = confluent.Producer(
        {"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0}
    )
    found = cluster.list_topics(timeout=10).brokers.values()
    gone = Broker(tuple(f"{one.host}:{one.port}" for one in found))
    async with topic(gone, timeout_s=20) as sink:
        await sink.send([an_announcement()])
        sink._timeout = timedelta(seconds=2)
        del cluster
        with pytest.raises(UpstreamDown):
            await sink.send([an_announcement()])
        with pytest.raises(UpstreamDown):
            await sink.send([an_announcement()])


async def test_to_greet_sends_no_record(broker: Broker) -> None:
    async with topic(broker) as sink:
        await sink.greet()
        await sink.send([an_announcement(id="the first")])

    (first,) = await records(broker, 1)
    assert (json.loads(first.value)["id"], first.offset) == ("the first", 0)


@pytest.mark.parametrize(
    ("tls", "mechanism", "protocol"),
    [
        (False, "", "PLAINTEXT"),
        (True, "", "SSL"),
        (False, "PLAIN", "SASL_PLAINTEXT"),
        (True, "SCRAM-SHA-512", "SASL_SSL"),
    ],
)
async def test_brokers_are_spoken_to_as_they_want_it(
    tls: bool, mechanism: str, protocol: str
) -> None:
    broker = Broker(("b:1",), tls, "", mechanism, "keyturn", "geheim")

    made = options(broker, timedelta(seconds=3))

    assert (made["acks"], made["enable_idempotence"]) == ("all", True)
    assert made["security_protocol"] == protocol
    assert ("ssl_context" in made, "sasl_plain_password" in made) == (tls, bool(mechanism))
    await aiokafka.AIOKafkaProducer(**made).stop()  # it takes them
