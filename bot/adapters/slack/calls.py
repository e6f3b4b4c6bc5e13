"""Calls to Slack's Web API, with Slack's refusals and absences by our names."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import Ambiguous, Throttled, UpstreamDown, UpstreamRefused

SYSTEM = "slack"
TIMEOUT_S = 15
# Slack's own troubles, which pass: https://docs.slack.dev/reference/methods/chat.postMessage
_PASSING = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)


def web_client(*, token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client on *session*; nothing is tried again by itself, the outbox does that."""
    return AsyncWebClient(
        token=token, base_url=base_url, session=session, timeout=TIMEOUT_S, retry_handlers=[]
    )


async def called(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """Return the answer of *call*.

    Raises:
        Throttled: Slack asks to wait.
        UpstreamDown: Slack did not answer, or said that it cannot now.
        Ambiguous: The connection broke after the request was sent.
        UpstreamRefused: Slack said no; `upstream_code` is its error.
    """
    try:
        answer = await call
    except SlackApiError as error:
        raise _refusal(error) from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamDown(SYSTEM, type(error).__name__) from error
    except (TimeoutError, aiohttp.ClientError, SlackClientError, ValueError) as error:
        raise Ambiguous(SYSTEM, type(error).__name__) from error
    data = answer.data
    if not isinstance(data, dict):
        raise UpstreamDown(SYSTEM, "an answer that is not JSON")
    return data


def _refusal(error: SlackApiError) -> UpstreamDown | UpstreamRefused:
    response = error.response
    status = getattr(response, "status_code", 0)
    data = getattr(response, "data", None)
    code = data.get("error", "") if isinstance(data, dict) else ""
    if status == 429 or code == "ratelimited":
        return Throttled(SYSTEM, _retry_after(response.headers))
    if status >= 500 or code in _PASSING or not code:
        return UpstreamDown(SYSTEM, f"HTTP {status} {code}".strip())
    return UpstreamRefused(SYSTEM, code, code)


def _retry_after(headers: Any) -> float:
    """Seconds to wait; https://docs.slack.dev/apis/web-api/rate-limits. 30 when it is not said."""
    found = {str(name).lower(): value for name, value in dict(headers or {}).items()}
    value = found.get("retry-after", "")
    first = value[0] if isinstance(value, list) and value else value
    return float(first) if str(first).isdigit() else 30.0
