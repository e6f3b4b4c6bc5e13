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

# Headers whose values are never a secret; every other header's value is hidden.
_OPEN_HEADERS = frozenset(
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


def is_open_header(name: str) -> bool:
    """Return True if the value of the header *name* may be shown."""
    return name.lower() in _OPEN_HEADERS or name.lower().endswith("-version")


_NAME = (
    r"(?:api[_-]?key|app[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|account[_-]?key"
    r"|secret|token|passw(?:or)?d|passphrase|pwd|credential|auth(?:orization)?)"
    r"(?:s|[_-](?!count|limit|usage)\w{1,20}|\d{1,3})?"
)

# A text without one of its clues (in lower case) cannot match a pattern; looking for them first
# is what keeps large documents quick. The group "s" is the secret, or the whole match is.
# Keys with a shape of their own: so many letters, digits and the like in a row that a text
# without such a row (`has_long_run`) holds none of them.
_RUNS: tuple[tuple[str, str], ...] = (
    ("eyj", r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"),  # JWT
    ("app- dataset-", r"(?<![\w-])(?:app|dataset)-[A-Za-z0-9]{20,}(?![\w-])"),  # Dify
    ("sk-", r"(?<![\w-])sk-[A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic and many after them
    ("k_live_ k_test_", r"(?<!\w)[srp]k_(?:live|test)_[A-Za-z0-9]{10,}"),  # Stripe
    ("whsec_", r"(?<!\w)whsec_[A-Za-z0-9+/=]{16,}"),
    ("gh github_pat_", r"(?<!\w)(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}"),  # GitHub
    ("gl", r"(?<!\w)gl(?:pat|dt|rt|cbt|ptt)-[\w-]{16,}"),  # GitLab
    (
        "akia asia abia acca",  # AWS key id
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    ("aiza", r"(?<!\w)AIza[\w-]{30,}"),  # Google
    ("ya29.", r"(?<!\w)ya29\.[\w-]{16,}"),
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/[\w/-]{8,}"),
    ("/api/webhooks/", r"(?<=/api/webhooks/)\d{5,25}/[\w-]{16,}"),  # Discord
    (":aa", r"(?<![\w:])\d{8,10}:AA[\w-]{30,}"),  # Telegram
    ("sg.", r"(?<!\w)SG\.[\w-]{16,}\.[\w-]{16,}"),  # SendGrid
    (
        "hf_ gsk_ r8_ npm_ ntn_ tvly- pplx- xai- nvapi- jina_ fc- lin_api_ shpat_ dop_v1_ hvs. "
        "dapi nrak- pypi- sq0csp- secret_",
        r"(?<!\w)(?:hf_|gsk_|r8_|npm_|ntn_|tvly-|pplx-|xai-|nvapi-|jina_|fc-|lin_api_|shpat_"
        r"|dop_v1_|hvs\.|dapi|NRAK-|pypi-|sq0csp-|secret_)[A-Za-z0-9_-]{20,}",
    ),
    ("sk", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])"),  # Twilio
)
_LONG_RUN = 16
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "private",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[\s\S]*)",
    ),
    ("xox", r"(?<!\w)xox[abceoprs]-[\w-]{8,}"),  # Slack
    ("xapp-", r"(?<!\w)xapp-[\w-]{8,}"),
    # where they stand
    ("bearer", r"(?i)\bbearer\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})"),
    ("basic", r"(?i)\bbasic\s+(?P<s>(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{12,}={0,2})(?![\w+/])"),
    ("://", r"://(?P<s>[^\s/@\"'<>{}]{1,200})@"),  # user information of a URL
    (
        "? &",
        r"(?i)[?&](?:[\w-]{0,30}(?:key|token|secret|password|passwd|pwd|signature)|sig|auth|code)="
        r"(?P<s>[^&\s#\"'<>{}]{6,})",
    ),
    (
        "key secret token pass pwd credential auth",
        r"(?i)" + _NAME + r"[\"']?\s{0,8}(?::|=|=>|:=)\s{0,8}[\"'](?P<s>[^\"'\s{}]{6,})[\"']",
    ),
    (
        "key secret token pass pwd credential auth",
        r"(?i)" + _NAME + r"[\"']?\s{0,8}[:=]\s{0,8}"
        r"(?P<s>(?=[^\s]{0,80}\d)[A-Za-z0-9_\-+/=!@$%^&*~]{8,})(?![\w(.\[])",
    ),
    (
        "key token secret passw credential bearer auth",
        r"(?i)\b(?:key|token|secret|password|passwd|credential|bearer|apikey|auth)\b[^\n]{0,20}?"
        r"(?<![0-9a-f])(?P<s>[0-9a-f]{32,})(?![0-9a-z])",
    ),
)


def has_long_run(text: str) -> bool:
    """Return whether some word of *text*, as white space parts it, may be one of `RUN_PATTERNS`."""
    return max(map(len, text.split()), default=0) >= _LONG_RUN


Clued = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


def _compiled(patterns: tuple[tuple[str, str], ...]) -> Clued:
    return tuple((tuple(clues.split()), re.compile(pattern)) for clues, pattern in patterns)


PATTERNS, RUN_PATTERNS = _compiled(_PATTERNS), _compiled(_RUNS)
