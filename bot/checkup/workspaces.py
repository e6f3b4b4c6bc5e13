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

KEY = "rolls_back_config"


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
    there = [place for place in places if place.id in refs]
    drafts = [place.id for place in there if refs[place.id].mode in WORKFLOW_MODES]
    if drafts or any(place.rolls_back_config for place in there):
        yield await _role(target, dify, drafts)


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
        return _without_versions(place, ref)
    if place.rolls_back_config and ref.mode in WORKFLOW_MODES:
        said = f"“{ref.name}” is of the mode {ref.mode}, which has versions to roll back"
        mend = f"take {KEY} out of [app.{place.where.app}]; it is for chat, agent-chat, completion"
        return failed(what, said, mend)
    if ref.mode not in WORKFLOW_MODES:
        said = f"“{ref.name}” is of the mode {ref.mode}, which cannot be rolled back"
        return failed(what, said, "take it out of keyturn.toml, or name an app with a workflow")
    if not ref.live_id:
        return note(what, f"“{ref.name}” is there, but nothing of it is published yet")
    return ok(what, f"“{ref.name}”, {ref.mode}")


def _without_versions(place: Place, ref: LiveRef) -> Finding:
    said = f"“{ref.name}” is of the mode {ref.mode}: its changes are kept and compared"
    if not place.rolls_back_config:
        how = f"going back is done by hand; {KEY} = true in its own table lets Keyturn do it"
        return note(str(place.where), f"{said}, {how}")
    how = "two keys take it back, live at once; a save in the last second would be overwritten"
    return ok(str(place.where), f"{said}, {how}")


async def _role(target: DifyTarget, dify: DifySettings, drafts: list[str]) -> Finding:
    """Whether the account may edit: shown by a draft that it may read, else by its role's name."""
    what = f"{target.name} role"
    try:
        if await may_edit(target, drafts[0]) if drafts else (await target.examine()).may_edit:
            return ok(what, f"{dify.email} may edit")
    except BotError as error:
        return failed(what, f"cannot be told ({error})", "look at the account's role in Dify")
    return _no_editor(what, dify)


def _no_editor(what: str, dify: DifySettings) -> Finding:
    mend = "give it the role editor in Dify (Settings → Members)"
    return failed(what, f"{dify.email} is no editor of the workspace", mend)
