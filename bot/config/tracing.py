"""Where traces go, by OpenTelemetry's own variables; the exporter reads the rest."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from bot.config.mistakes import Mistakes

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER = "OTEL_TRACES_EXPORTER"
_OURS = "http/protobuf"


def address(variables: Mapping[str, str], mistakes: Mistakes) -> str:
    """Where traces are sent; "" where no address is named or something speaks against it.

    What keeps them from being sent is a notice, since the service does without.
    """
    named = next((name for name in _ENDPOINTS if variables.get(name)), None)
    if named is None or variables.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    exporter = variables.get(_EXPORTER, "otlp")
    if exporter == "none":
        return ""
    if exporter != "otlp":
        mistakes.notice((_EXPORTER,), "is not otlp, so no traces are sent")
        return ""
    for name in _PROTOCOLS:
        if variables.get(name, _OURS) != _OURS:
            mistakes.notice((name,), f"is not {_OURS}, so no traces are sent")
            return ""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        mistakes.notice((named,), "is set, but keyturn[otel] is not installed: no traces are sent")
        return ""
    return _of_traces(named, variables[named])


def _of_traces(named: str, url: str) -> str:
    """The address for traces: the one for everything has theirs below it.

    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp
    """
    return url if named == _ENDPOINTS[0] else f"{url.rstrip('/')}/v1/traces"
