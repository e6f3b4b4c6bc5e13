"""Plain secret values of a Dify: fetched for one comparison or one write, and nowhere kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from bot.adapters.dify import dsl, era, secrets, shapes, wire
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import Request, app_path
from bot.errors import NoSuchVersion, UpstreamDown, UpstreamRefused
from store.document import Document

log = logging.getLogger(__name__)


class Vault:
    """Reads values through *session*; callers hold them in local variables only."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def values(self, app_id: str, version_id: str = "") -> secrets.Values:
        """The plain secrets of a published version, or of the draft, by id."""
        query = {"include_secret": "true"}
        if version_id:
            era_now = await self._session.known_era()
            if not era_now.exports_versions:
                what = f"release {era_now.version} exports no version but the draft"
                raise UpstreamRefused(shapes.SYSTEM, what, "secret_out_of_reach")
            query["workflow_id"] = version_id
        request = Request("GET", app_path(app_id, "/export"), query=query)
        answer = await self._session.send(request)
        if version_id and answer.status in {400, 404, 500} and answer.code in era.NO_VERSION:
            raise NoSuchVersion(shapes.SYSTEM, f"version {version_id} cannot be exported")
        return dsl.secret_values(wire.exported(answer.json()))

    async def expected(self, app_id: str, live_id: str, own: Mapping[str, str]) -> secrets.Values:
        """The values of *live_id*, but those of *own* from the versions named there."""
        expected = dict(await self.values(app_id, live_id))
        for version_id in sorted(set(own.values())):
            found = await self.values(app_id, version_id)
            asked = [identity for identity, source in own.items() if source == version_id]
            expected |= {identity: found[identity] for identity in asked if identity in found}
        return expected

    async def wanted(
        self, app_id: str, draft: Document | None, wanted: secrets.Sources
    ) -> secrets.Values:
        """Fetch the values that have to be sent. They live in local variables only."""
        values = dict(secrets.plain_values(draft, wanted.draft))
        if any(identity not in values for identity in wanted.draft):
            of_draft = await self.values(app_id)
            values |= {i: of_draft[i] for i in wanted.draft if i in of_draft}
        for version_id in sorted(set(wanted.versions.values())):
            found = await self.values(app_id, version_id)
            asked = [i for i, source in wanted.versions.items() if source == version_id]
            values |= {identity: found[identity] for identity in asked if identity in found}
        missing = [i for i in (*wanted.draft, *wanted.versions) if i not in values]
        if missing:
            what = f"no value for the secrets {', '.join(missing)} where it should be"
            raise UpstreamRefused(shapes.SYSTEM, what, "secret_without_value")
        return values

    async def if_readable(self, app_id: str, ids: Collection[str]) -> secrets.Values:
        """The draft's secrets if there is something to compare; the check alone must not fail."""
        if not ids:
            return {}
        try:
            return await self.values(app_id)
        except (UpstreamDown, UpstreamRefused) as error:
            log.warning("secrets could not be checked around a write: %s", error)
            return {}
