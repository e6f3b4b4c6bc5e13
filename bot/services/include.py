"""Keep the list of apps that are watched without a table of their own in step with Dify's.

Who may tag an app in the target decides which apps a policy of ours is about. So every app that
comes or goes is in the audit chain, in the transaction that stores it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.including import Include, Known, Listed, Taken, take_over
from bot.ports.store import Store
from bot.ports.target import LiveRef, Target
from store.records import AppEnv, AuditDraft, IncludedApp, Stale

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """The settings that including needs, as plain values."""

    targets: Mapping[str, Target]  # those whose apps are included, by name
    includes: Mapping[str, Include]  # by the same names
    tables: Collection[tuple[str, str]]  # (target, id) of the apps with a table
    names: Collection[AppEnv]  # what these are called


class Inclusion:
    """Takes apps over and lets them go; knows nothing else of them."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self._strange: set[str] = set()

    @property
    def targets(self) -> Sequence[Target]:
        """The targets whose apps are to be listed though none may be watched yet."""
        return tuple(self._rules.targets.values())

    @property
    def trouble(self) -> frozenset[str]:
        """Targets whose last listing looked like that of another workspace."""
        return frozenset(self._strange)

    async def listed(self, target: Target, refs: Sequence[LiveRef]) -> bool:
        """Compare *refs*, a complete list of *target*'s apps, with what is watched.

        Returns True if that is something else now. When another process gives away one of the
        names meanwhile, nothing changes: the next listing decides again.
        """
        rule = self._rules.includes.get(target.name)
        if rule is None:
            return False
        apps = [Listed(ref.app_id, ref.name, ref.tags, ref.live_id) for ref in refs]
        async with self._store.read() as tx:
            known = Known(
                tables=self._rules.tables,
                names=self._rules.names,
                remembered=await tx.included.all(),
                histories=await tx.versions.newest_target_ids(),
            )
        taken = take_over(target.name, apps, rule, known)
        self._notice(target.name, taken)
        if not taken.changed:
            return False
        try:
            async with self._store.write() as tx:
                changed = await tx.included.save((*taken.new, *taken.gone), entry=_entry)
                await tx.included.save(taken.renamed, entry=lambda _: None)
        except Stale:
            log.warning("names were given to apps meanwhile", extra={"target": target.name})
            return False
        for app in changed:
            what = "app no longer included" if app.gone else "app included"
            log.info(what, extra={"app": str(app.where), "called": app.name})
        return True

    def _notice(self, target: str, taken: Taken) -> None:
        if taken.strange and target not in self._strange:
            log.error("none of the included apps is listed: another workspace?",
                      extra={"target": target})  # fmt: skip
        self._strange = self._strange - {target} | ({target} if taken.strange else set())


def _entry(app: IncludedApp) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action="app.released" if app.gone else "app.included",
        resource=f"app/{app.where}",
        status="ok",
        what={"app": str(app.where), "target": app.target, "id": app.external_id, "name": app.name},
        ip_note="Keyturn itself",
    )
