"""The right answer, told from the cause."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tests.incidents.faults import Fault
from tests.incidents.plans import Plan
from tests.incidents.publishing import Timeline, Version
from tests.incidents.world import World


@dataclass(frozen=True)
class Truth:
    """Which version brought it, which one to go back to (none: do not), and why."""

    culprit: Version | None
    target: Version | None
    reason: str


def at_fault(world: World, fault: Fault, alerting: str) -> str:
    """Return the deployment of the faulty app from which trouble came to *alerting*."""
    same = alerting.partition("/")[2]
    for env in (same, *fault.envs):
        key = f"{fault.app}/{env}"
        if env in fault.envs and key in world.deployments and alerting in world.reached_by(key):
            return key
    raise ValueError(f"{fault.app} cannot reach {alerting}")


def tell(plan: Plan, timeline: Timeline, alerting: str, onset_s: float, decided_s: float) -> Truth:
    """Return the truth about an alert of *alerting* whose trouble began at *onset_s*."""
    if plan.fault is None:
        return Truth(None, None, plan.reason)
    key = at_fault(plan.world, plan.fault, alerting)
    name = plan.fault.name
    known = [version for version in timeline.versions[key] if version.at_s <= decided_s]
    culprit = _culprit(known, name, onset_s)
    if culprit is None:
        return Truth(None, None, plan.reason)
    if plan.untold:
        return Truth(culprit, None, f"{plan.reason}; {plan.untold}")
    if name not in known[-1].faults:
        how = "gone back from" if known[-1].how == "rollback" else "replaced"
        return Truth(culprit, None, f"{plan.reason}; it was already {how} at the decision")
    target = _target(known, culprit, gone_back_from(known))
    if target is None:
        return Truth(culprit, None, f"{plan.reason}; there is no good version before it")
    later = sum(version.at_s > culprit.at_s for version in known)
    more = f"; {later} later version(s) still contain it" if later else ""
    return Truth(culprit, target, plan.reason + more)


def _culprit(known: list[Version], name: str, onset_s: float) -> Version | None:
    """Return the version that began the run of faulty ones that was live at the onset."""
    found = None
    for before, version in zip([None, *known], known, strict=False):
        if version.at_s > onset_s + 10:
            break
        if name in version.faults and (before is None or name not in before.faults):
            found = version
    return found


def gone_back_from(known: list[Version]) -> frozenset[str]:
    """Return the contents that a rollback had taken away from."""
    return frozenset(
        before.content for before, version in pairwise(known) if version.how == "rollback"
    )


def _target(known: list[Version], culprit: Version, bad: frozenset[str]) -> Version | None:
    """Return the newest version before *culprit* that was not known to be bad.

    Faults of earlier days count as mended when the version right before the culprit is rid of them.
    """
    earlier = [version for version in known if version.number < culprit.number]
    lived_with = earlier[-1].faults if earlier else frozenset()
    return next(
        (
            version
            for version in reversed(earlier)
            if not version.faults - lived_with and version.content not in bad
        ),
        None,
    )
