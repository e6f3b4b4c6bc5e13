"""What differs between Dify releases, in one place: what each can do, and how it is spoken to.

The release is the `X-Version` header of every answer. Where a rule begins comes from recordings
of 1.7.2, 1.10.1 and 1.14.2 and, between these, from the history of the upstream source.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

API = "/console/api"
HIDDEN = "[__HIDDEN__]"  # keeps the value that the draft has under the variable's id, on all

COOKIE_PREFIXES = ("__Host-", "")  # the first one behind https without a cookie domain

NO_APP = "app_not_found"
NO_DRAFT = "draft_workflow_not_exist"  # 404 from 1.13, 400 before
DRAFT_MOVED = "draft_workflow_not_sync"  # 409 from 1.12, 400 before
LOCKED = "email_code_login_limit"
NO_VERSION = frozenset({"unknown", "invalid_param"})  # export of an unknown id: 500, before 400

Release = tuple[int, int, int]

_OLDEST: Release = (0, 15, 0)
_NAMED_VERSIONS: Release = (1, 0, 1)
_VERSION_EXPORT: Release = (1, 8, 1)
_COOKIES: Release = (1, 9, 2)
_ADMIN_KEY_MENDED: Release = (1, 11, 0)
_ENCODED_PASSWORD: Release = (1, 11, 2)
_RESTORE: Release = (1, 13, 3)
_GRAPH_HASH: Release = (1, 14, 0)
_NUMBERS = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?![\d.])")


@dataclass(frozen=True)
class Era:
    """What the release called *version* can do; *release* is None where it names none.

    A release without a readable name is taken for the lowest one that speaks like the newest,
    1.11.2: an account that is let in with an encoded password proves that it is at least that.
    The admin key proves nothing, so with it no more is relied on than what every release has.
    """

    version: str
    release: Release | None
    proven: bool = True

    @classmethod
    def named(cls, version: str) -> Era:
        """The era of an `X-Version` header; what follows the numbers (`-rc1`) does not count."""
        found = _NUMBERS.match(version.strip())
        if found is None:
            return cls(version, None)
        major, minor, patch = (int(number or 0) for number in found.groups())
        return cls(version, (major, minor, patch))

    @property
    def _at_least(self) -> Release:
        if self.release is not None:
            return self.release
        return _ENCODED_PASSWORD if self.proven else _OLDEST

    @property
    def known(self) -> bool:
        """True if the server named a release that could be read."""
        return self.release is not None

    @property
    def supported(self) -> bool:
        """False before 0.15.0, whose console lists no versions."""
        return self._at_least >= _OLDEST

    @property
    def bearer(self) -> bool:
        """True if a login answers tokens in its body, which then travel as `Authorization`."""
        return self.release is not None and self.release < _COOKIES

    @property
    def encoded_password(self) -> bool:
        """True if a login takes the password in base64."""
        return self.release is None or self.release >= _ENCODED_PASSWORD

    @property
    def admin_key(self) -> bool:
        """False where the admin key dies at the CSRF check of all but the draft's routes."""
        return self.release is None or not _COOKIES <= self.release < _ADMIN_KEY_MENDED

    @property
    def names_versions(self) -> bool:
        """True if a publish takes a name and a comment, and versions show them."""
        return self._at_least >= _NAMED_VERSIONS

    @property
    def exports_versions(self) -> bool:
        """True if an export can be of an old version; before, it is silently the draft."""
        return self._at_least >= _VERSION_EXPORT

    @property
    def restores(self) -> bool:
        """True if the server restores a version with its secrets into the draft by itself."""
        return self._at_least >= _RESTORE

    @property
    def masks_are_safe(self) -> bool:
        """True if a mask that is sent back is not stored as the secret. We never send one."""
        return self._at_least >= _RESTORE

    @property
    def token_covers_features(self) -> bool:
        """True if the draft's hash notices a save that changes the features alone."""
        return self._at_least < _GRAPH_HASH

    def wire_password(self, password: str) -> str:
        """Return *password* as a login sends it."""
        return base64.b64encode(password.encode()).decode() if self.encoded_password else password

    def limitations(self) -> tuple[str, ...]:
        """Return what this release cannot do, a sentence each, the gravest first."""
        return tuple(sentence for true, sentence in self._limits() if true)

    def _limits(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                not self.supported,
                f"Dify {self.version} lists no versions; Keyturn needs 0.15.0 or newer.",
            ),
            (
                not self.known,
                "The server names no release in the header X-Version (a proxy may take it away), "
                "so nothing that only newer releases can do is relied on.",
            ),
            (
                not self.exports_versions,
                "Before 1.8.1 the secrets of a published version cannot be read: a rollback "
                "keeps those of the draft, and the card says so; a version with other secret "
                "variables than live cannot be rolled back to.",
            ),
            (
                not self.names_versions,
                "Before 1.0.1 a version has no name: after a crash our own publish is known by "
                "its content alone.",
            ),
            (
                not self.masks_are_safe,
                "Before 1.13.3 the console's own restore destroys secrets: its editor sends the "
                "masks back as values. Keyturn never sends one.",
            ),
            (
                not self.restores,
                "Before 1.13.3 the server cannot restore a version with its secrets; Keyturn "
                "writes the content and each value itself.",
            ),
            (
                not self.token_covers_features,
                "From 1.14.0 on the draft's hash covers the graph alone: an editor's save of "
                "features or variables in the moment of our write shows only when it is read back.",
            ),
            (
                self.token_covers_features,
                "The draft's hash covers graph and features: an editor's save of variables in the "
                "moment of our write shows only when it is read back.",
            ),
            (
                not self.admin_key,
                "From 1.9.2 to 1.10.1 the admin key does not work; use an account.",
            ),
        )


UNPROVEN = Era("", None, proven=False)  # before the first answer, or with the admin key alone
