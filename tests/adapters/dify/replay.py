"""Replays recorded requests against a server and keeps what it answered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.adapters.dify.recordings import (
    IGNORED_HEADERS,
    Exchange,
    Names,
    cookie_attributes,
    cookie_values,
    differences,
)

PAGE = "a page in HTML"  # whose words nobody reads
RECORDED_ADMIN_KEY = "local-admin-api-key-0123456789"
_RECORDED_URLS = ("http://127.0.0.1:15011", "http://127.0.0.1:15001", "http://127.0.0.1:15021")
# Requests of the second sequence were recorded without their headers; this one is about them.
_CONTENT_TYPE = {"sync_wrong_ct": "text/html", "publish_no_body": ""}


@dataclass
class OurAnswer:
    status: int
    headers: dict[str, str]
    set_cookie: tuple[str, ...]
    body: Any


class Replay:
    """Sends one recorded request after the other; `bound` learns our names on the way."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._cookies: dict[str, str] = {}
        self.bound = Names(dict.fromkeys(_RECORDED_URLS, url))

    async def run(self, exchanges: Iterable[Exchange]) -> list[tuple[Exchange, OurAnswer]]:
        """Replay all; each answer teaches the names before the next request is sent."""
        done = []
        for exchange in exchanges:
            answer = await self._send(exchange)
            self._learn(exchange, answer)
            done.append((exchange, answer))
        return done

    async def _send(self, exchange: Exchange) -> OurAnswer:
        path = self.bound.translate(exchange.path)
        data = None if exchange.body is None else self.bound.translate(_text(exchange.body))
        async with self._http.request(
            exchange.method,
            f"{self._url}/console/api{path}",
            data=data,
            headers=self._headers(exchange),
            skip_auto_headers=["Content-Type"],
        ) as answer:
            text = await answer.text()
            return OurAnswer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                set_cookie=tuple(answer.headers.getall("Set-Cookie", [])),
                body=_read(text, answer.content_type),
            )

    def _headers(self, exchange: Exchange) -> dict[str, str]:
        if exchange.name.startswith("main/"):
            return {name: self.bound.translate(v) for name, v in exchange.headers.items()}
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "X-CSRF-Token": self._cookies.get("csrf_token", ""),
        }
        title = exchange.name.partition("/")[2][4:]
        content_type = _CONTENT_TYPE.get(title, "application/json")
        return {**headers, "Content-Type": content_type} if content_type else headers

    def _learn(self, exchange: Exchange, answer: OurAnswer) -> None:
        ours = cookie_values(answer.set_cookie)
        self._cookies |= ours
        for name, value in cookie_values(exchange.set_cookie).items():
            if value and name in ours:
                self.bound.bind(value, ours[name])
        self._learn_tokens(exchange.answer, answer.body)
        for _ in differences(exchange.answer, answer.body, self.bound):
            pass

    def _learn_tokens(self, recorded: Any, ours: Any) -> None:
        """A bearer login's tokens stand in its body."""
        for name in ("access_token", "refresh_token"):
            values = [_dig(body, "data", name) for body in (recorded, ours)]
            if all(values):
                self.bound.bind(*values)


def compare(exchange: Exchange, answer: OurAnswer, bound: Names) -> list[str]:
    """Say how *answer* differs from the recorded one."""
    found: list[str] = []
    if answer.status != exchange.status:
        found.append(f"status {exchange.status} became {answer.status}")
    for name, value in (exchange.answer_headers or {}).items():
        if name not in IGNORED_HEADERS and _plain(answer.headers.get(name)) != _plain(value):
            found.append(f"header {name}: {value!r} became {answer.headers.get(name)!r}")
    if cookie_attributes(exchange.set_cookie) != cookie_attributes(answer.set_cookie):
        found.append(f"cookies became {cookie_attributes(answer.set_cookie)}")
    recorded = PAGE if _is_page(exchange.answer) else exchange.answer
    found.extend(differences(recorded, answer.body, bound))
    return [f"{exchange.name}: {difference}" for difference in found]


def _read(text: str, content_type: str) -> Any:
    """The JSON, or of a page what it is."""
    if content_type == "text/html":
        return PAGE
    return json.loads(text) if text else ""


def _text(body: Any) -> str:
    # Unescaped, so that names are found in it.
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _dig(body: Any, *path: str) -> str:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, str) else ""


def _is_page(body: Any) -> bool:
    return isinstance(body, str) and body.startswith("<!doctype")


def _plain(header: str | None) -> str | None:
    """A header without the charset, which JSON does not need."""
    return header.partition(";")[0] if header else header
