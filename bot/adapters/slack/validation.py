"""What Slack itself says of the form of a message or a view: its `blocks.validate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.adapters.slack.calls import called, web_client
from bot.blockkit import Problem

# With these `errors` says what is wrong: https://docs.slack.dev/reference/methods/blocks.validate
_INVALID = frozenset({"invalid_blocks", "invalid_message", "invalid_view"})
_VIEWS = frozenset({"modal", "home"})
_SAID = 300


class SlackValidation:
    """Asks Slack; nothing is posted, and no scope is needed."""

    def __init__(self, *, token: str, base_url: str, session: aiohttp.ClientSession) -> None:
        self._web = web_client(token=token, base_url=base_url, session=session)

    async def problems(self, drawn: Mapping[str, Any]) -> list[Problem]:
        """Return what Slack would refuse of a `{text, blocks}` or of a view; empty: nothing.

        Raises:
            Throttled, TokenRefused, UpstreamDown, UpstreamRefused: It did not say.
        """
        answer = await called(_tolerated(self._web, drawn))
        errors = answer.get("errors")
        found = [_problem(one) for one in errors] if isinstance(errors, list) else []
        if not found and answer.get("ok") is not True:
            return [Problem("", f"Slack says {str(answer.get('error'))[:_SAID]}, and no more")]
        return found


async def _tolerated(web: AsyncWebClient, drawn: Mapping[str, Any]) -> AsyncSlackResponse:
    """The answer also where it is no: what is wrong stands in it."""
    kind = "view" if drawn.get("type") in _VIEWS else "message"
    try:
        return await web.api_call("blocks.validate", data={kind: json.dumps(drawn)})
    except SlackApiError as error:
        data = error.response.data
        if isinstance(data, dict) and data.get("error") in _INVALID:
            response: AsyncSlackResponse = error.response
            return response
        raise


def _problem(error: object) -> Problem:
    said = error if isinstance(error, dict) else {}
    text = str(said.get("message") or said.get("code") or "no reason given")
    return Problem(str(said.get("pointer") or "")[:_SAID], text[:_SAID])
