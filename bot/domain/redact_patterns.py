"""What a secret looks like in free text, and which names say that a value is one. Pure data."""

from __future__ import annotations

import re
from functools import lru_cache

# A name of these words, or one that ends in one of these pairs, holds a credential.
_WORDS = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "secret", "secrets", "apikey", "appkey"),
        *("authorization", "bearer", "cookie", "cookies", "credential", "credentials", "dsn"),
        *("accesskey", "secretkey", "privatekey", "authtoken", "accesstoken", "appsecret"),
    }
)
_KEYS = frozenset(
    {"api", "app", "access", "private", "secret", "auth", "encryption", "signing", "account",
     "subscription", "master", "service", "license"}
)  # fmt: skip
_COUNTED = frozenset({"max", "min", "num", "count", "limit", "per", "total", "n", "by"})
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")

# Header names whose values are never a secret; every other header's value is hidden.
OPEN_HEADERS = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control"),
        *("connection", "content-encoding", "content-language", "content-length"),
        *("content-type", "host", "origin", "prefer", "referer", "user-agent", "x-request-id"),
    }
)

# A value that only names where the real one comes from, perhaps behind a scheme's name.
REFERENCE = re.compile(
    r"\s*(?:(?:bearer|basic|token|api-?key)\s+)?(?:\{\{#[\w.\-]{1,200}#\}\}|\{\{\s*[a-z_][\w.]{0,80}\s*\}\})\s*",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def names_a_credential(name: str) -> bool:
    """Return True if a field, header or variable of this *name* holds a credential."""
    words = [word.lower() for word in _SPLIT.split(name[:200]) if word]
    if any(word in _WORDS for word in words):
        return True
    if not words:
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return before in _KEYS
    if words[-1] in {"token", "jwt"}:
        return before not in _COUNTED
    return words[-1] == "string" and before == "connection"


_NAME = (
    r"(?:[\w-]{0,40}(?:api[_-]?key|app[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key"
    r"|account[_-]?key|secret|token|passw(?:or)?d|passphrase|pwd|credential|auth)[\w-]{0,20})"
)

# In each pattern the group "s" is the secret, or the whole match is.
PATTERNS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern)
    for pattern in (
        # keys with a shape of their own
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)",
        r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",  # JWT
        r"(?<![\w-])(?:app|dataset)-[A-Za-z0-9]{20,}(?![\w-])",  # Dify
        r"(?<![\w-])sk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic and many after them
        r"(?<!\w)[srp]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe
        r"(?<!\w)whsec_[A-Za-z0-9+/=]{16,}",
        r"(?<!\w)(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}",  # GitHub
        r"(?<!\w)gl(?:pat|dt|rt|cbt|ptt)-[\w-]{16,}",  # GitLab
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS key id
        r"(?<!\w)AIza[\w-]{30,}",  # Google
        r"(?<!\w)ya29\.[\w-]{16,}",
        r"(?<!\w)xox[abceoprs]-[\w-]{8,}",  # Slack
        r"(?<!\w)xapp-[\w-]{8,}",
        r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{8,}",
        r"(?<=/api/webhooks/)\d{5,25}/[\w-]{16,}",  # Discord
        r"(?<![\w:])\d{8,10}:AA[\w-]{30,}",  # Telegram
        r"(?<!\w)SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
        r"(?<!\w)(?:hf_|gsk_|r8_|npm_|ntn_|tvly-|pplx-|xai-|nvapi-|jina_|fc-|lin_api_|shpat_|dop_v1_"
        r"|hvs\.|dapi|NRAK-|pypi-|sq0csp-|secret_)[A-Za-z0-9_-]{20,}",
        r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])",  # Twilio
        # where they stand
        r"(?i)\bbearer\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})",
        r"(?i)\bbasic\s+(?P<s>[A-Za-z0-9+/]{12,}={0,2})(?![\w+/])(?<![a-z]{12})",
        r"(?i)[a-z][a-z0-9+.-]{1,30}://(?P<s>[^\s/@\"'<>{}]{1,200})@",  # user information of a URL
        r"(?i)[?&](?:[\w-]{0,30}(?:key|token|secret|password|passwd|pwd|signature)|sig|auth|code)="
        r"(?P<s>[^&\s#\"'<>{}]{6,})",
        r"(?i)\b" + _NAME + r"[\"']?\s{0,8}(?::|=|=>|:=)\s{0,8}[\"'](?P<s>[^\"'\s{}]{6,})[\"']",
        r"(?i)\b" + _NAME + r"[\"']?\s{0,8}[:=]\s{0,8}"
        r"(?P<s>(?=[^\s]{0,80}\d)[A-Za-z0-9_\-+/=!@$%^&*~]{8,})(?![\w(.\[])",
        r"(?i)\b(?:key|token|secret|password|passwd|credential|bearer|apikey|auth)\b[^\n]{0,20}?"
        r"(?<![0-9a-f])(?P<s>[0-9a-f]{32,})(?![0-9a-z])",
    )
)
