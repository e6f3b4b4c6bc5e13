"""Whether secret values are those that they should be, as far as a release can tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from bot.adapters.dify import secrets, wire
from bot.adapters.dify.reading import MAX_PAGE_BYTES, Reading, secret_names
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import app_path
from bot.adapters.dify.vault import Vault
from bot.adapters.dify.versions import VERSIONS_A_PAGE, Versions
from bot.errors import UpstreamRefused
from bot.ports.target import NONE, SecretsComparison, SecretsVerdict

log = logging.getLogger(__name__)
_UNKNOWN = SecretsComparison(SecretsVerdict.UNKNOWN)


class Comparing:
    """Compares values of *vault*; in releases that hide them, what they show of each."""

    def __init__(
        self, session: Session, reading: Reading, versions: Versions, vault: Vault
    ) -> None:
        self._session = session
        self._reading = reading
        self._versions = versions
        self._vault = vault

    async def draft_secrets_only(self) -> bool:
        """True before 1.8.1, where an old version's export is silently the draft."""
        return not (await self._session.known_era()).exports_versions

    async def compare(
        self,
        app_id: str,
        *,
        live_id: str,
        own: Mapping[str, str] = NONE,
        published_id: str = "",
    ) -> SecretsComparison:
        """Compare secret values by id, in memory only; see the port."""
        if await self.draft_secrets_only():
            if own:  # no version's own values can be read here
                return _UNKNOWN
            return await self._compare_masks(app_id, live_id, published_id)
        if published_id:
            return await self._compare_published(app_id, live_id, own, published_id)
        held = await self._versions.draft(app_id)
        names = await secret_names(held.document) if held else {}
        if not names:
            return SecretsComparison(SecretsVerdict.EQUAL)
        values = await self._values_of_both(app_id, live_id, own)
        return secrets.compared(*values, names) if values else _UNKNOWN

    async def _compare_published(
        self, app_id: str, live_id: str, own: Mapping[str, str], published_id: str
    ) -> SecretsComparison:
        """Of a version that is live all is read at once: who asks knows that it has secrets."""
        held, values = await asyncio.gather(
            self._versions.live(app_id), self._values_of_both(app_id, live_id, own, published_id)
        )
        names = await secret_names(held.document) if held else {}
        if not names:
            return SecretsComparison(SecretsVerdict.EQUAL)
        return secrets.compared(*values, names) if values else _UNKNOWN

    async def _values_of_both(
        self, app_id: str, live_id: str, own: Mapping[str, str], version_id: str = ""
    ) -> tuple[secrets.Values, secrets.Values] | None:
        """The values that are there and those that should be; None when Dify says no."""
        try:
            wanted, found = await asyncio.gather(
                self._vault.expected(app_id, live_id, own), self._vault.values(app_id, version_id)
            )
        except UpstreamRefused as error:
            log.warning("secrets cannot be compared: %s", error)
            return None
        return found, wanted

    async def _compare_masks(
        self, app_id: str, live_id: str, published_id: str
    ) -> SecretsComparison:
        """Compare what these releases show of each value: its first six and last two characters."""
        live = await self._reading.json(app_path(app_id, "/workflows/publish"))
        if wire.workflow_id(live) != (published_id or live_id):
            return _UNKNOWN
        if not published_id:
            draft = await self._reading.json(app_path(app_id, "/workflows/draft"))
            return secrets.alike(wire.shown_secrets(draft), wire.shown_secrets(live))
        query = {"page": "1", "limit": str(VERSIONS_A_PAGE)}
        newest = await self._reading.json(
            app_path(app_id, "/workflows"), query, limit=MAX_PAGE_BYTES
        )
        before = wire.workflow_among(newest, live_id)
        if before is None:
            return _UNKNOWN
        return secrets.alike(wire.shown_secrets(live), wire.shown_secrets(before))
