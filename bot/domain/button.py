"""The value behind a button: opaque to Slack, bound to one content, and only ours to make.

`ID.ROUND.NONCE.MAC`: the MAC covers the button's action and the digest of the content that the
card showed, so a button of another content, another action or another hand reads as out of date.
A card without a rollback has buttons of its case: `case.ID.MAC`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.errors import BadInput, OutOfDate
from store.records import Case, Rollback

MAX_LENGTH = 2000  # a button's value: https://docs.slack.dev/reference/block-kit/block-elements/
_DOMAIN = "keyturn/button/v1"
_CASE_DOMAIN = "keyturn/button/case/v1"
_CASE = re.compile(r"case\.(?P<id>[1-9][0-9]{0,18})\.(?P<mac>[0-9a-f]{64})")
_FORM = re.compile(
    r"(?P<id>[1-9][0-9]{0,18})\.(?P<round>0|[1-9][0-9]{0,8})"
    r"\.(?P<nonce>[A-Za-z0-9_-]{1,128})\.(?P<mac>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Claim:
    """What a pressed button says of itself; believed only after `verify`."""

    rollback_id: int
    round: int
    nonce: str
    mac: str


def sign(rollback: Rollback, action: str, *, keys: Sequence[bytes]) -> str:
    """Return the value of *rollback*'s *action* button, made with the first of *keys*.

    Raises:
        ValueError: There is no key, or the rollback's nonce is not of `[A-Za-z0-9_-]`.
    """
    if not keys:
        raise ValueError("a button cannot be signed without a key")
    claim = Claim(rollback.id, rollback.round, rollback.nonce, "")
    mac = _mac(keys[0], claim, action, rollback.content_digest)
    value = f"{claim.rollback_id}.{claim.round}.{claim.nonce}.{mac}"
    if not _FORM.fullmatch(value):
        raise ValueError(f"rollback {rollback.id} has no nonce that a button can carry")
    return value


def read(value: str) -> Claim:
    """Return what *value* claims, without believing it. Raises `BadInput` on any other form."""
    found = _FORM.fullmatch(value) if len(value) <= MAX_LENGTH else None
    if found is None:
        raise BadInput("a button's value is not of our form")
    return Claim(int(found["id"]), int(found["round"]), found["nonce"], found["mac"])


def verify(claim: Claim, action: str, rollback: Rollback, *, keys: Sequence[bytes]) -> None:
    """Raise `OutOfDate` unless one of *keys* made *claim* for this action and this content.

    Whether the claim's round is still the current one is for the vote's own rules to say.
    """
    given = claim.mac.encode()
    genuine = False
    for key in keys:  # all of them, so that the time taken tells nothing of which key it was
        made = _mac(key, claim, action, rollback.content_digest).encode()
        genuine |= hmac.compare_digest(made, given)
    if not genuine or claim.rollback_id != rollback.id:
        raise OutOfDate(f"a {action} button of rollback {claim.rollback_id} does not verify")


def sign_case(case: Case, action: str, *, keys: Sequence[bytes]) -> str:
    """Return the value of the *action* button of *case*, whose card shows no rollback.

    Raises:
        ValueError: There is no key.
    """
    if not keys:
        raise ValueError("a button cannot be signed without a key")
    return f"case.{case.id}.{_case_mac(keys[0], case, action)}"


def case_in(value: str) -> int | None:
    """Return the case that *value* claims to be about, without believing it; None for none."""
    found = _CASE.fullmatch(value) if len(value) <= MAX_LENGTH else None
    return int(found["id"]) if found else None


def verify_case(value: str, action: str, case: Case, *, keys: Sequence[bytes]) -> None:
    """Raise `OutOfDate` unless one of *keys* made *value* for this action and this case."""
    found = _CASE.fullmatch(value)
    given = (found["mac"] if found else "").encode()
    genuine = False
    for key in keys:  # all of them, as above
        genuine |= hmac.compare_digest(_case_mac(key, case, action).encode(), given)
    if not genuine:
        raise OutOfDate(f"a {action} button of case {case.id} does not verify")


def _case_mac(key: bytes, case: Case, action: str) -> str:
    said = (_CASE_DOMAIN, action, str(case.id), str(case.where))
    return hmac.new(key, "\0".join(said).encode(), hashlib.sha256).hexdigest()


def _mac(key: bytes, claim: Claim, action: str, content_digest: str) -> str:
    said = (_DOMAIN, action, str(claim.rollback_id), str(claim.round), claim.nonce, content_digest)
    return hmac.new(key, "\0".join(said).encode(), hashlib.sha256).hexdigest()
