"""What is behind an app that a rollback would change, looked up before the card."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from bot.domain.impact import Around, Impact, impact
from bot.domain.references import Kind, references
from bot.ports.store import Store
from bot.ports.target import Targets
from store.document import Document
from store.records import AppEnv

WORKFLOW = "workflow"  # the mode of apps that can be made a tool, and the sort of such tools
_KEPT = 2000  # documents whose tools are remembered


class Reach:
    """Reads the settings and the store, and asks the app's target one question."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        *,
        known: Collection[AppEnv],
        depends_on: Mapping[str, Sequence[str]],
        criticality: Mapping[str, str],
    ) -> None:
        """Take what the settings tell: *known* are the apps that have a table there."""
        self._store = store
        self._targets = targets
        self._known = known
        self._depends_on = depends_on
        self._criticality = criticality
        self._tools: dict[str, frozenset[str]] = {}

    async def __call__(
        self,
        where: AppEnv,
        mode: str,
        *,
        kinds: Mapping[str, int],
        lost: int,
        rate: float | None,
        within: timedelta,
    ) -> Impact:
        """Return what a rollback of *where*, an app of this *mode*, reaches.

        Args:
            where: The app, which has a target.
            mode: Of what is live.
            kinds: How many changes of each kind the difference has.
            lost: How many versions are given up besides the suspect.
            rate: Its requests a second, None where they were not measured.
            within: How long the target is waited for.
        """
        around = Around(
            where.app,
            mode,
            depends_on=self._there(where.env),
            criticality=self._criticality,
            pinned=await self._pinned(where, within) if mode == WORKFLOW else (),
            rate=rate,
            kinds=kinds,
            lost=lost,
        )
        return impact(around)

    def _there(self, env: str) -> Mapping[str, Sequence[str]]:
        """What the apps that live in *env* depend on."""
        return {
            app: needs for app, needs in self._depends_on.items() if AppEnv(app, env) in self._known
        }

    async def _pinned(self, where: AppEnv, within: timedelta) -> list[str] | None:
        """The apps that call *where* as a tool, by name; None where its target does not tell."""
        target, app_id = self._targets.of(where)
        tool = await target.tool_id(app_id, within=within)
        if not tool:
            return None if tool is None else []
        places = sorted({*self._known, *self._targets.all()} - {where}, key=str)
        callers = [place for place in places if tool in await self._tools_of(place)]
        return [place.app if place.env == where.env else str(place) for place in callers]

    async def _tools_of(self, where: AppEnv) -> frozenset[str]:
        """The ids of the workflow tools that the live version of *where* calls."""
        async with self._store.read() as tx:
            live = await tx.versions.newest(where)
            if live is None:
                return frozenset()
            if live.root in self._tools:
                return self._tools[live.root]
            document = await tx.versions.document(live.id)
        found = await asyncio.to_thread(_workflow_tools, document)
        if len(self._tools) >= _KEPT:
            self._tools.clear()
        self._tools[live.root] = found
        return found


def _workflow_tools(document: Document) -> frozenset[str]:
    needed = (reference.needed for reference in references(document))
    return frozenset(
        one.provider for one in needed if (one.kind, one.sort) == (Kind.TOOL, WORKFLOW)
    )
