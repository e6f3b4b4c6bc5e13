"""An app's versions and its draft, and which version each app of a workspace has live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from bot.adapters.dify import era, model_config, wire
from bot.adapters.dify.reading import MAX_PAGE_BYTES, MAX_PAGES, Reading
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import app_path
from bot.errors import UpstreamRefused
from bot.ports.target import LiveRef, TargetDraft, TargetVersion

APPS_A_PAGE = 100
VERSIONS_A_PAGE = 20
NEWEST = 3  # the draft and two versions


class Versions:
    """Reads them by *reading*; what a release tells of them is known by *session*'s era."""

    def __init__(self, session: Session, reading: Reading) -> None:
        self._session = session
        self._reading = reading

    async def list_live(self) -> AsyncIterator[LiveRef]:
        """Every app of the workspace with its live version's id, 100 a call."""
        seen: set[str] = set()
        for page in range(1, MAX_PAGES):
            query = {"page": str(page), "limit": str(APPS_A_PAGE)}
            found = await self._reading.understood(
                "/apps", wire.app_page, query, limit=MAX_PAGE_BYTES
            )
            for ref in found.refs:
                self._reading.remember(ref.app_id, ref.mode)
                if ref.app_id not in seen:  # an app made meanwhile moves the others on
                    seen.add(ref.app_id)
                    yield ref
            if not found.has_more:
                return

    async def history(self, app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        """Published versions, newest first, from index *start*; the draft is never among them."""
        mode = await self._reading.mode(app_id)
        if mode in model_config.MODES:
            live = await self.live(app_id)
            if live is not None and start == 0:
                yield live
            return
        seen: set[str] = set()
        if start == 0:  # whoever only wants to know what is new needs no twenty documents
            newest = await self._page(app_id, mode, page=1, limit=NEWEST)
            for version in newest.versions:
                seen.add(version.external_id)
                yield version
            if not newest.has_more:
                return
        page, skip = _page_of(start)
        while page < MAX_PAGES:
            found = await self._page(app_id, mode, page=page, limit=VERSIONS_A_PAGE)
            for version in found.versions[skip:]:
                if version.external_id not in seen:  # a publish meanwhile moves the others on
                    seen.add(version.external_id)
                    yield version
            if not found.has_more:
                return
            page, skip = page + 1, 0

    async def count(self, app_id: str) -> int:
        """How many published versions there are, found with few calls for one version each."""
        mode = await self._reading.mode(app_id)
        if mode in model_config.MODES:
            return int(await self.live(app_id) is not None)
        first = await self._page(app_id, mode, page=1, limit=1)
        if first.length == 0:
            return 0
        there, absent = 1, 2
        while absent < MAX_PAGES and await self._exists(app_id, mode, absent):
            there, absent = absent, min(absent * 2, MAX_PAGES)
        while absent - there > 1:
            middle = (there + absent) // 2
            if await self._exists(app_id, mode, middle):
                there = middle
            else:
                absent = middle
        return there - first.has_draft

    async def live(self, app_id: str) -> TargetVersion | None:
        """The version that answers users now; None before the first publish."""
        mode = await self._reading.mode(app_id)
        if mode in model_config.MODES:
            return model_config.version(await self._reading.json(app_path(app_id)), mode=mode)
        named = self._session.era.names_versions
        form = partial(wire.live, mode=mode, named=named)
        path = app_path(app_id, "/workflows/publish")
        return await self._reading.workflow(path, form, asked=f"{path} {mode} {named}")

    async def draft(self, app_id: str) -> TargetDraft | None:
        """The editors' draft; None when nobody has saved one yet."""
        mode = await self._reading.mode(app_id)
        if mode in model_config.MODES:
            return None
        try:
            form = partial(wire.draft, mode=mode)
            path = app_path(app_id, "/workflows/draft")
            return await self._reading.workflow(path, form, asked=f"{path} {mode}")
        except UpstreamRefused as error:
            if error.upstream_code == era.NO_DRAFT:
                return None
            raise

    async def _exists(self, app_id: str, mode: str, index: int) -> bool:
        return (await self._page(app_id, mode, page=index, limit=1)).length > 0

    async def _page(self, app_id: str, mode: str, *, page: int, limit: int) -> wire.VersionPage:
        query = {"page": str(page), "limit": str(limit)}
        form = partial(wire.version_page, mode=mode, named=self._session.era.names_versions)
        path = app_path(app_id, "/workflows")
        return await self._reading.understood(path, form, query, limit=MAX_PAGE_BYTES)


def _page_of(start: int) -> tuple[int, int]:
    """The page on which published version *start* stands, and how many there come before it.

    The draft is the first item of the first page, so index 0 is its second item.
    """
    page, offset = divmod(start + 1, VERSIONS_A_PAGE)
    return page + 1, offset - (page == 0)
