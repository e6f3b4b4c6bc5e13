"""Who we are to Dify, and what proves it on each call: cookies, a bearer token or the admin key.

No value of these is ever shown by `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.adapters.dify import shapes
from bot.adapters.dify.era import COOKIE_PREFIXES, Era
from bot.adapters.dify.transport import Answer, Request
from store.records import Json

_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,8192}")  # RFC 6265, section 4.1.1
_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]{1,8192}=*")  # RFC 6750, section 2.1


@dataclass(frozen=True)
class Account:
    """Log in with an e-mail address and a password."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class AdminKey:
    """The server's `ADMIN_API_KEY`: acts as the owner of *workspace* (a tenant id), no login."""

    key: str = field(repr=False)
    workspace: str

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key}", "X-WORKSPACE-ID": self.workspace}


Credentials = Account | AdminKey


@dataclass(frozen=True, eq=False)
class CookieTokens:
    """What a login gives from 1.9.2 on; `prefix` is that of the cookies' names."""

    prefix: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    csrf: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """Both cookies and the CSRF header, which must be equal to its cookie on every call."""
        access, csrf = f"{self.prefix}access_token", f"{self.prefix}csrf_token"
        return {
            "Cookie": f"{access}={self.access}; {csrf}={self.csrf}",
            "X-CSRF-Token": self.csrf,
        }

    def renewal(self) -> tuple[Request, Mapping[str, str]]:
        """The call that renews them once, with its headers."""
        cookie = f"{self.prefix}refresh_token={self.refresh}"
        return Request("POST", "/refresh-token", body={}), {"Cookie": cookie}


@dataclass(frozen=True, eq=False)
class BearerTokens:
    """What a login gives up to 1.9.1."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def renewal(self) -> tuple[Request, Mapping[str, str]]:
        """The call that renews them once, with its headers."""
        return Request("POST", "/refresh-token", body={"refresh_token": self.refresh}), {}


Tokens = CookieTokens | BearerTokens


def tokens_of(answer: Answer, era: Era) -> Tokens:
    """Read the tokens from a login's or a refresh's answer.

    Raises:
        AnswerUnreadable: There are none of the form that this release hands out.
        UpstreamDown, UpstreamRefused: It was no success.
    """
    return answer.read(_bearer) if era.bearer else _cookies(answer)


def _cookies(answer: Answer) -> CookieTokens:
    answer.check()
    for prefix in COOKIE_PREFIXES:
        values = {
            name: answer.cookies.get(f"{prefix}{name}_token", "")
            for name in ("access", "refresh", "csrf")
        }
        if all(_COOKIE_VALUE.fullmatch(value) for value in values.values()):
            return CookieTokens(prefix, **values)
    raise shapes.unreadable(str(answer.request), "gave no cookies to go on with")


def _bearer(answer: Json) -> BearerTokens:
    data = shapes.field(answer, "data", "login")
    access = shapes.filled(data, "access_token", "login.data")
    refresh = shapes.filled(data, "refresh_token", "login.data")
    if not _BEARER.fullmatch(access):
        raise shapes.unreadable("login.data.access_token", "not a bearer token")
    return BearerTokens(access, refresh)
