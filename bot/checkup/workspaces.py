"""Dify: can we log in, may we edit, and are the apps there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from bot.adapters.dify import model_config
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.inspection import FORBIDDEN, may_edit, workspace_name
from bot.checkup.finding import Finding, failed, note, ok
from bot.config.settings import DifySettings, Place, Settings
from bot.errors import (
    AccountLocked,
    AnswerUnreadable,
    BotError,
    LoginRefused,
    UpstreamDown,
    UpstreamRefused,
)
from bot.opening import dify_target
from bot.ports.target import LiveRef
from store.document import WORKFLOW_MODES


async def findings(settings: Settings) -> AsyncGenerator[Finding, None]:
    """Look at every workspace and at the apps that live there."""
    for name, dify in settings.dify.items():
        target = dify_target(name, dify)
        places = [place for place in settings.places.values() if place.target == target.name]
        try:
            async with aclosing(_workspace(target, dify, places)) as found:
                async for finding in found:
                    yield finding
        finally:
            await target.close()


async def _workspace(
    target: DifyTarget, dify: DifySettings, places: list[Place]
) -> AsyncGenerator[Finding, None]:
    what = target.name
    try:
        version = await target.greet()
        workspace = await workspace_name(target)
        refs = {ref.app_id: ref async for ref in target.list_live()}
    except BotError as error:
        yield _ill(what, dify, error)
        return
    said = f"Dify {version or '(of an unknown version)'}, logged in as {dify.email}"
    yield ok(what, f"{said}, workspace {workspace}" if workspace else said)
    for place in places:
        yield _app(place, refs)
    rolled_back = [p for p in places if p.id in refs and refs[p.id].mode in WORKFLOW_MODES]
    if rolled_back:
        yield await _role(target, dify, rolled_back[0])


def _ill(what: str, dify: DifySettings, error: BotError) -> Finding:
    if isinstance(error, AccountLocked):
        mend = "wait a day, or let an administrator unlock it; then correct the password"
        return failed(what, f"the account {dify.email} is locked after bad logins", mend)
    if isinstance(error, LoginRefused):
        mend = f"correct [{what}] email and its password; the seventh bad login locks the account"
        return failed(what, f"refuses the login of {dify.email}", mend)
    if isinstance(error, AnswerUnreadable):
        said = f"{dify.url} answers, but not as Dify's console API does ({error})"
        mend = f"[{what}] url must be the address of Dify's console, and no proxy's page in between"
        return failed(what, said, mend)
    if isinstance(error, UpstreamDown):
        mend = f"check [{what}] url, the network, and that Dify runs"
        return failed(what, f"{dify.url} does not answer ({error})", mend)
    if isinstance(error, UpstreamRefused) and error.upstream_code == FORBIDDEN:
        return _no_editor(what, dify)
    return failed(what, f"refuses ({error})", f"check [{what}] url and the account's role")


def _app(place: Place, refs: dict[str, LiveRef]) -> Finding:
    what, ref = str(place.where), refs.get(place.id)
    if ref is None:
        said = f"{place.target} has no app with the id {place.id}"
        workspace = place.target.removeprefix("dify.")
        return failed(what, said, f"`keyturn discover {workspace}` lists the apps that are there")
    if ref.mode in model_config.MODES:
        said = f"“{ref.name}” is of the mode {ref.mode}: its changes are kept and compared"
        return note(what, f"{said}, going back is done by hand")
    if ref.mode not in WORKFLOW_MODES:
        said = f"“{ref.name}” is of the mode {ref.mode}, which cannot be rolled back"
        return failed(what, said, "take it out of keyturn.toml, or name an app with a workflow")
    if not ref.live_id:
        return note(what, f"“{ref.name}” is there, but nothing of it is published yet")
    return ok(what, f"“{ref.name}”, {ref.mode}")


async def _role(target: DifyTarget, dify: DifySettings, place: Place) -> Finding:
    what = f"{target.name} role"
    try:
        if await may_edit(target, place.id):
            return ok(what, f"{dify.email} may edit")
    except BotError as error:
        return failed(what, f"cannot be told ({error})", "look at the account's role in Dify")
    return _no_editor(what, dify)


def _no_editor(what: str, dify: DifySettings) -> Finding:
    mend = "give it the role editor in Dify (Settings → Members)"
    return failed(what, f"{dify.email} is no editor of the workspace", mend)
