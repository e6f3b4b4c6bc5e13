"""What a Dify workspace has: its models, tools and knowledge bases, asked for by name.

The console's own lists (api/controllers/console/workspace, .../datasets): every account of the
workspace may read them. Each is read by itself, so that one that cannot be says nothing of others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from bot.adapters.dify.shapes import each, filled, items, mapping, unreadable
from bot.domain.dry_run import Looked, Presence, Unread
from bot.domain.references import Kind, Needed, same_provider
from bot.errors import (
    AccountLocked,
    AnswerUnreadable,
    LoginRefused,
    UpstreamDown,
    UpstreamRefused,
)
from store.records import Json

log = logging.getLogger(__name__)

_HERE = "/workspaces/current"
_TOOLS = {"builtin": "builtin", "plugin": "builtin"} | {n: n for n in ("api", "workflow", "mcp")}
_ACTIVE = "active"
_IDS_A_CALL = 50
_NO_TOOL = "invalid_param"
Read = Callable[[str, Mapping[str, list[str]]], Awaitable[Json]]  # (path, query) → its JSON
_Answers = Mapping[Needed, Looked]


@dataclass(frozen=True)
class Model:
    """A model as a list tells it; `status` is "active" for one that can be used."""

    provider: str
    name: str
    sort: str
    status: str


@dataclass(frozen=True)
class Provider:
    """A provider of tools: the names it goes by, and its tools; none where it does not tell."""

    names: frozenset[str]
    tools: frozenset[str]


class Inventory:
    """Looks things up by *read*."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def look_up(self, needed: Collection[Needed], within: timedelta) -> _Answers:
        """Say of each whether it is there; see the port."""
        lists = [*self._models(needed), *self._tools(needed), *self._datasets(needed)]
        told = await asyncio.gather(*(self._of_one_list(*one, within) for one in lists))
        return {one: looked for answers in told for one, looked in answers.items()}

    async def tool_id(self, app_id: str, within: timedelta) -> str | None:
        """The id of the tool that the app was made; see the port.

        Of an app that is no tool Dify says so with the code of a wrong question
        (api/services/tools/workflow_tools_manage_service.py).
        """
        path = f"{_HERE}/tool-provider/workflow/get"
        try:
            async with asyncio.timeout(within.total_seconds()):
                told = await self._read(path, {"workflow_app_id": [app_id]})
                return filled(told, "workflow_tool_id", "tool")
        except TimeoutError:
            return None
        except UpstreamRefused as error:
            if error.upstream_code == _NO_TOOL:
                return ""
            log.warning("callers not looked up: %s", error)
        except UpstreamDown as error:
            log.warning("callers not looked up: %s", error)
        return None

    async def _of_one_list(
        self, wanted: list[Needed], look: Callable[[list[Needed]], Awaitable[_Answers]],
        within: timedelta,
    ) -> _Answers:  # fmt: skip
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await look(wanted)
        except TimeoutError:
            why = Unread.LATE
        except UpstreamDown as error:
            log.warning("not looked up: %s", error)
            why = Unread.DOWN
        except AnswerUnreadable as error:
            log.warning("not looked up: %s", error)
            why = Unread.UNREADABLE
        except UpstreamRefused as error:
            log.warning("not looked up: %s", error)
            why = _refused(error)
        return {one: Looked(Presence.UNKNOWN, why) for one in wanted}

    # -- models -------------------------------------------------------------------------------

    def _models(self, needed: Collection[Needed]) -> Iterable[tuple[list[Needed], _Look]]:
        for sort in sorted({one.sort for one in needed if one.kind is Kind.MODEL}):
            wanted = [one for one in needed if (one.kind, one.sort) == (Kind.MODEL, sort)]
            yield wanted, self._look_for_models

    async def _look_for_models(self, wanted: list[Needed]) -> _Answers:
        """Look in the list of a type, and for what it lacks in the list of its provider.

        The first has what a node can be given: no model that the provider calls deprecated, which
        works on where it is used, and none that is switched off.
        """
        sort = wanted[0].sort
        usable = models_of_type(
            await self._read(f"{_HERE}/models/model-types/{_in_path(sort)}", {})
        )
        answers = {}
        own: dict[str, list[Model]] = {}
        for one in wanted:
            if any(_is(model, one) for model in usable):
                answers[one] = Looked(Presence.THERE)
                continue
            if one.provider not in own:
                own[one.provider] = await self._models_of(one.provider, usable)
            answers[one] = _among([model for model in own[one.provider] if _is(model, one)])
        return answers

    async def _models_of(self, said: str, usable: list[Model]) -> list[Model]:
        """All models of a provider, by the name that it has here."""
        here = {model.provider for model in usable if same_provider(said, model.provider)}
        name = min(here, default=said)
        return models_of_provider(
            await self._read(f"{_HERE}/model-providers/{quote(name, safe='/')}/models", {}), name
        )

    # -- tools --------------------------------------------------------------------------------

    def _tools(self, needed: Collection[Needed]) -> Iterable[tuple[list[Needed], _Look]]:
        tools = [one for one in needed if one.kind is Kind.TOOL]
        for name in sorted({_TOOLS[one.sort] for one in tools if one.sort in _TOOLS}):
            yield [one for one in tools if _TOOLS.get(one.sort) == name], self._look_for_tools
        if strange := [one for one in tools if one.sort not in _TOOLS]:
            yield strange, _nowhere_listed

    async def _look_for_tools(self, wanted: list[Needed]) -> _Answers:
        path = f"{_HERE}/tools/{_TOOLS[wanted[0].sort]}"
        there = tool_providers(await self._read(path, {}))
        return {one: _tool_among(there, one) for one in wanted}

    # -- knowledge bases ----------------------------------------------------------------------

    def _datasets(self, needed: Collection[Needed]) -> Iterable[tuple[list[Needed], _Look]]:
        wanted = [one for one in needed if one.kind is Kind.KNOWLEDGE_BASE]
        if wanted:
            yield wanted, self._look_for_datasets

    async def _look_for_datasets(self, wanted: list[Needed]) -> _Answers:
        """Ask by id. What is no id of Dify's form cannot be there, and asking for it is a 500."""
        ids = sorted({one.name for one in wanted if _is_id(one.name)})
        there: set[str] = set()
        for start in range(0, len(ids), _IDS_A_CALL):
            some = ids[start : start + _IDS_A_CALL]
            query = {"ids": some, "page": ["1"], "limit": [str(len(some))]}
            there |= dataset_ids(await self._read("/datasets", query))
        return {
            one: Looked(Presence.THERE if one.name.lower() in there else Presence.MISSING)
            for one in wanted
        }


_Look = Callable[[list[Needed]], Awaitable[_Answers]]


async def _nowhere_listed(wanted: list[Needed]) -> _Answers:
    return {one: Looked(Presence.UNKNOWN, Unread.NO_LIST) for one in wanted}


# -- What the lists say -----------------------------------------------------------------------


def models_of_type(answer: Json) -> list[Model]:
    """Read the list of the models of one type: providers with those that can be used."""
    return [
        model
        for provider in items(answer, "data", "models")
        for model in _models_in(
            items(provider, "models", "models.data"), filled(provider, "provider", "models.data")
        )
    ]


def models_of_provider(answer: Json, provider: str) -> list[Model]:
    """Read the list of all models of one *provider*, whatever their type and status."""
    return _models_in(items(answer, "data", "models"), provider)


def _models_in(found: list[Json], provider: str) -> list[Model]:
    return each(found, "models", lambda item, place: _model(item, place, provider))


def _model(item: Json, place: str, provider: str) -> Model:
    status = mapping(item, place).get("status", _ACTIVE)
    return Model(
        provider=provider,
        name=filled(item, "model", place),
        sort=filled(item, "model_type", place),
        status=status if isinstance(status, str) else "?",
    )


def tool_providers(answer: Json) -> list[Provider]:
    """Read a list of tools: their providers, by id, name and, for MCP, the server's identifier."""
    if not isinstance(answer, list):
        raise unreadable("tools", "not a list")
    return each(answer, "tools", _provider)


def _provider(item: Json, place: str) -> Provider:
    held = mapping(item, place)
    names = (held.get(key) for key in ("id", "name", "server_identifier"))
    listed = items(item, "tools", place)
    return Provider(
        names=frozenset(name for name in names if isinstance(name, str) and name),
        tools=frozenset(filled(tool, "name", f"{place}.tools") for tool in listed),
    )


def dataset_ids(answer: Json) -> set[str]:
    """Read a page of knowledge bases: their ids, in small letters."""
    found = items(answer, "data", "datasets")
    return {filled(item, "id", "datasets.data").lower() for item in found}


# -- How they are compared --------------------------------------------------------------------


def _is(model: Model, one: Needed) -> bool:
    return (model.name, model.sort) == (one.name, one.sort) and same_provider(
        one.provider, model.provider
    )


def _among(found: list[Model]) -> Looked:
    if any(model.status == _ACTIVE for model in found):
        return Looked(Presence.THERE)
    return Looked(Presence.UNUSABLE, found[0].status) if found else Looked(Presence.MISSING)


def _tool_among(there: list[Provider], one: Needed) -> Looked:
    """A provider that tells of no tools (an MCP server before its first answer) is believed."""
    own = [p for p in there if any(same_provider(one.provider, name) for name in p.names)]
    has = any(not provider.tools or one.name in provider.tools for provider in own)
    return Looked(Presence.THERE if has else Presence.MISSING)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _refused(error: UpstreamRefused) -> Unread:
    if isinstance(error, LoginRefused | AccountLocked) or error.upstream_code == "forbidden":
        return Unread.FORBIDDEN
    no_route = error.upstream_code in ("", "not_found") and " 404" in str(error)
    return Unread.NO_LIST if no_route else Unread.REFUSED


def _in_path(text: str) -> str:
    return quote(text, safe="")
