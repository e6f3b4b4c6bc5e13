"""Everything that is made of settings, as one value that is swapped for another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot import jobs
from bot.adapters.slack.admission import Admission
from bot.assembly.outside import Outside
from bot.config.settings import Settings
from bot.services.alerting.listen import Listen
from bot.services.alerting.tell import Tell
from bot.services.anchoring import Anchoring
from bot.services.announce import Announce
from bot.services.deliver import Deliver
from bot.services.follow_up import FollowUp
from bot.services.include import Inclusion
from bot.services.probe import Probe
from bot.services.recover import Recover
from bot.services.subside import Subside


@dataclass(frozen=True)
class Parts:
    """Everything that is made of settings, and swapped as a whole when they change."""

    settings: Settings
    outside: Outside
    keys: tuple[bytes, ...]  # of buttons
    steps: Mapping[str, jobs.Step]
    routes: tuple[web.RouteDef, ...]
    sweep: Callable[[], Awaitable[object]]
    look_closer: Callable[[], Awaitable[object]]
    follow_up: FollowUp
    recover: Recover
    subside: Subside
    tell: Tell
    listen: Listen
    probe: Probe
    deliver: Deliver
    announce: Announce
    anchoring: Anchoring
    inclusion: Inclusion
    admission: Admission | None  # None in a worker, which takes in nothing


async def retire(old: Parts, new: Parts) -> None:
    """Let what was acknowledged end, and close the connections of targets no longer used."""
    if old.admission is not None:
        await old.admission.finish()
    await old.outside.close(but=new.outside)
