"""The documents of one leg of a rollback, and where the values of its secrets come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.secrets import expected
from bot.ports.store import Store
from store.document import Document
from store.records import Leg, Version


@dataclass(frozen=True)
class Contents:
    """What was live, and what shall be: `wanted` has the root that the reviewers approved."""

    live: Document
    live_external_id: str
    wanted: Document
    to: Version

    @classmethod
    async def of(cls, store: Store, leg: Leg) -> Contents:
        """Read them from the store. Raises `Missing`, `Corrupt`."""
        async with store.read() as tx:
            to = await tx.versions.get(leg.to_version_id)
            candidate = await tx.versions.document(leg.to_version_id)
            live = await tx.versions.document(leg.from_version_id)
        return cls(live, leg.live_external_id, expected(candidate, live), to)

    @property
    def undo_root(self) -> str:
        """The root of the document that going from `wanted` back to `live` leaves live."""
        return expected(self.live, self.wanted).root

    @property
    def own_secrets(self) -> Mapping[str, str]:
        """The candidate's own secrets, which live has not: id → the version with their value."""
        there = {secret.id for secret in self.live.secrets}
        own = (secret.id for secret in self.wanted.secrets if secret.id not in there)
        return dict.fromkeys(own, self.to.target_id)

    @property
    def secrets_from(self) -> Mapping[str, str]:
        """For each secret that the draft may lack, the published version to take it from."""
        kept = {secret.id: self.live_external_id for secret in self.wanted.secrets}
        return {**kept, **self.own_secrets}
