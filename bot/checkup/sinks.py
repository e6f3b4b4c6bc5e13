"""Sinks of events: does each answer. No event is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from time import time

from bot.checkup.finding import Finding, failed, ok
from bot.config.settings import EventSink, Settings
from bot.errors import UpstreamDown, UpstreamRefused
from bot.opening import event_sink


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at every sink that the settings name."""
    for name, sink in settings.events.items():
        yield await _finding(name, sink, settings.public_url)


async def _finding(name: str, setting: EventSink, base: str) -> Finding:
    what = f"events.{name}"
    sink = event_sink(name, setting, base=base, clock=_now)
    try:
        await sink.greet()
    except UpstreamDown as error:
        mend = f"see that it runs and can be reached from here; its address is in [events.{name}]"
        return failed(what, f"takes no events ({error})", mend)
    except UpstreamRefused as error:
        return failed(what, f"takes no events ({error})", f"correct [events.{name}]")
    finally:
        await sink.close()
    return ok(what, _told(setting))


def _told(sink: EventSink) -> str:
    match sink.kind:
        case "webhook":
            return f"somebody answers at {sink.url}"
        case "file":
            return f"{sink.path} can be written"
        case "kafka":
            return f"topic {sink.topic} is known at {', '.join(sink.brokers)}"


def _now() -> datetime:
    return datetime.fromtimestamp(time(), UTC)
