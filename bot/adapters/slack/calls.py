"""Calls to Slack's Web API and its other addresses, with refusals and absences by our names."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import pulse
from bot.errors import Ambiguous, Throttled, TokenRefused, UpstreamDown, UpstreamRefused
from bot.unreachable import why

SYSTEM = "slack"
UNSAID_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0
# Slack's own troubles, which pass: https://docs.slack.dev/reference/methods/chat.postMessage.
# Of some the page says that the call may have taken effect.
_PASSING = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
    | {"team_added_to_org", "org_login_required"}
)
# It is our token that Slack does not take: no card, vote or person is at fault, and with the
# right token the same call works.
_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}
)
_THROTTLED = frozenset({"ratelimited", "rate_limited"})


def web_client(*, token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client on *session*, whose timeouts hold; nothing is tried again by itself.

    slack_sdk takes a proxy from the environment, also for addresses on this very machine.
    """
    client = AsyncWebClient(token=token, base_url=base_url, session=session, retry_handlers=[])
    if _here(base_url):
        client.proxy = None
    return client


async def called(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """Return the answer of *call*. Raises as `answered`."""
    return _object((await answered(call)).data)


async def answered(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    """Return the answer of *call* with its headers; it is a JSON object.

    Raises:
        Throttled: Slack asks to wait.
        TokenRefused: Slack does not take our token.
        UpstreamDown: Slack cannot be reached.
        Ambiguous: The request was sent, but what came back does not say what became of it.
        UpstreamRefused: Slack said no; `upstream_code` is its error.
    """
    try:
        answer = await call
        _object(answer.data)
    except SlackApiError as error:
        raise _refusal(error) from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamDown(SYSTEM, why(error)) from error
    except (TimeoutError, aiohttp.ClientError) as error:
        raise Ambiguous(SYSTEM, why(error)) from error
    except (SlackClientError, ValueError) as error:
        raise Ambiguous(SYSTEM, "an answer that cannot be read") from error
    except AttributeError as error:  # slack_sdk 3.47 looks for `ok` in whatever was answered
        raise Ambiguous(SYSTEM, "an answer that is not a JSON object") from error
    finally:
        pulse.alive()
    return answer


def _object(data: dict[str, Any] | bytes) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Ambiguous(SYSTEM, "an answer that is not a JSON object")
    return data


async def posted(
    session: aiohttp.ClientSession, url: str, *, proxy: str | None = None, **content: Any
) -> int:
    """Post to an address that Slack gave us, and return the status; redirects are not followed.

    Raises:
        Throttled: Slack asks to wait.
        UpstreamDown: Slack cannot be reached.
        Ambiguous: The request was sent, but what became of it is not known.
    """
    try:
        async with session.post(url, proxy=proxy, allow_redirects=False, **content) as response:
            status, headers = response.status, response.headers
    except aiohttp.ClientConnectorError as error:
        raise UpstreamDown(SYSTEM, why(error)) from error
    except (TimeoutError, aiohttp.ClientError) as error:
        raise Ambiguous(SYSTEM, why(error)) from error
    finally:
        pulse.alive()
    if status == 429:
        raise Throttled(SYSTEM, _wait_s(headers))
    if status >= 500:
        raise Ambiguous(SYSTEM, f"HTTP {status}")
    return status


def _refusal(error: SlackApiError) -> UpstreamDown | UpstreamRefused:
    response = error.response
    status = getattr(response, "status_code", 0) or getattr(response, "status", 0)
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == 429 or code in _THROTTLED:
        return Throttled(SYSTEM, _wait_s(response.headers))
    if code in _TOKEN:
        return TokenRefused(SYSTEM, code)
    if status >= 500 or code in _PASSING or not code:
        return Ambiguous(SYSTEM, f"HTTP {status} {code}".strip())
    return UpstreamRefused(SYSTEM, code, code)


def _wait_s(headers: Mapping[str, str]) -> float:
    """Seconds to wait, at most an hour; https://docs.slack.dev/apis/web-api/rate-limits."""
    found = {name.lower(): value for name, value in headers.items()}
    said = found.get("retry-after", "")
    seconds = float(said) if said.isascii() and said.isdecimal() else UNSAID_WAIT_S
    return min(seconds, LONGEST_WAIT_S)


def _here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
