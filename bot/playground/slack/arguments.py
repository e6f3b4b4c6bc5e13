"""Arguments of a Web API call: query, form or JSON, all the same to the methods."""

from __future__ import annotations

import json

from aiohttp import web

from bot.playground.slack.things import Json, SlackError


class Arguments:
    """What the caller gave; a method asks for each argument in the form that it needs."""

    def __init__(self, given: Json) -> None:
        self.given = given

    def has(self, name: str) -> bool:
        return self.given.get(name) is not None

    def text(self, name: str) -> str:
        """The argument as text; "" when it was not given."""
        value = self.given.get(name)
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None:
            return ""
        if not isinstance(value, str | int | float):
            raise SlackError("invalid_arguments", response_metadata=_says(f"{name} is no text"))
        return str(value)

    def need(self, name: str) -> str:
        """The argument as text, or Slack's complaint that it is missing."""
        if not (value := self.text(name)):
            message = f"[ERROR] missing required field: {name}"
            raise SlackError("invalid_arguments", response_metadata=_says(message))
        return value

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in {"1", "true", "t"}

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise SlackError("invalid_arguments") from None

    def json(self, name: str, *, otherwise: str) -> object:
        """The argument as JSON, which forms carry as text; error *otherwise* when it is not."""
        value = self.given.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except (ValueError, RecursionError):
            raise SlackError(otherwise) from None


async def read(request: web.Request) -> tuple[Json, str]:
    """Return the arguments of *request* and its bearer token ("" when it has none)."""
    given: Json = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            given |= await _json_body(request)
        else:
            given |= {name: str(value) for name, value in (await request.post()).items()}
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    form_token = given.pop("token", "")
    return given, token if scheme.lower() == "bearer" else str(form_token)


async def _json_body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def _says(message: str) -> Json:
    return {"messages": [message]}
