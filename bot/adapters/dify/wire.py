"""Dify's answers and documents: bytes and JSON in, values out. Pure; no secret gets through.

The forms are those of the console API as recorded from servers of 1.7.2, 1.10.1 and 1.14.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.adapters.dify import dsl, model_config, shapes
from bot.adapters.dify.documents import document
from bot.adapters.dify.shapes import each, field, filled, flag, items, mapping, moment, text
from bot.ports.target import LiveRef, TargetDraft, TargetVersion
from store.document import Document
from store.records import Json

from_dsl = dsl.from_dsl

DRAFT = "draft"
_ENVIRONMENT = "environment_variables"
_REQUIRED = ("graph", "features", _ENVIRONMENT, "conversation_variables")
_LATER = "rag_pipeline_variables"  # not yet in 1.7.2: an update of Dify must change no root


@dataclass(frozen=True)
class AppPage:
    """One page of the workspace's apps."""

    refs: tuple[LiveRef, ...]
    has_more: bool


@dataclass(frozen=True)
class VersionPage:
    """One page of a history; `versions` is without the draft, `length` counts it."""

    versions: tuple[TargetVersion, ...]
    length: int
    has_draft: bool
    has_more: bool


def app_page(answer: Json) -> AppPage:
    """Read an answer of `GET /apps`."""
    refs = each(items(answer, "data", "apps"), "apps.data", _live_ref)
    return AppPage(tuple(refs), flag(answer, "has_more", "apps"))


def _live_ref(answer: Json, place: str) -> LiveRef:
    return LiveRef(
        app_id=filled(answer, "id", place),
        name=text(answer, "name", place),
        mode=filled(answer, "mode", place),
        live_id=_live_id(answer, place),
        tags=_tags(answer, place),
    )


def _live_id(answer: Json, place: str) -> str:
    if text(answer, "mode", place) in model_config.MODES:
        return model_config.live_id(mapping(answer, place).get("model_config"), place)
    workflow = field(answer, "workflow", place)
    return "" if workflow is None else filled(workflow, "id", f"{place}.workflow")


def _tags(answer: Json, place: str) -> tuple[str, ...]:
    """The names of its tags; before there were tags Dify told of none."""
    if not mapping(answer, place).get("tags"):
        return ()
    named = each(items(answer, "tags", place), f"{place}.tags", lambda t, at: text(t, "name", at))
    return tuple(named)


def app_mode(answer: Json) -> str:
    """Read the mode from an answer of `GET /apps/{id}`."""
    return filled(answer, "mode", "app")


def version_page(answer: Json, *, mode: str, named: bool = True) -> VersionPage:
    """Read an answer of `GET /apps/{id}/workflows`, whose first item is the draft.

    Before 1.0.1 versions are not *named*: they have neither name nor comment.
    """
    found = items(answer, "items", "workflows")
    kinds = each(found, "workflows.items", lambda item, place: text(item, "version", place))
    published = [item for item, kind in zip(found, kinds, strict=True) if kind != DRAFT]
    return VersionPage(
        versions=tuple(version(item, mode=mode, named=named) for item in published),
        length=len(found),
        has_draft=DRAFT in kinds,
        has_more=flag(answer, "has_more", "workflows"),
    )


def live(answer: Json, *, mode: str, named: bool = True) -> TargetVersion | None:
    """Read an answer of `GET …/workflows/publish`: nothing before the first publish."""
    return version(answer, mode=mode, named=named) if workflow_id(answer) else None


def workflow_id(answer: Json) -> str:
    """The id of a workflow object; "" for null, or for one of nulls alone as before 1.14."""
    if answer is None or field(answer, "id", "workflow") is None:
        return ""
    return filled(answer, "id", "workflow")


def workflow_among(answer: Json, version_id: str) -> Json:
    """The workflow object of *version_id* on a page of versions; None when it is not there."""
    found = items(answer, "items", "workflows")
    return next((item for item in found if field(item, "id", "workflows") == version_id), None)


def shown_secrets(answer: Json) -> Mapping[str, tuple[str, str]]:
    """Name and shown mask of each secret of a workflow object, by id.

    Before 1.8.1 a mask holds eight characters of the value: compare it, and keep it nowhere.
    """
    if not workflow_id(answer):
        return {}
    place = f"workflow.{_ENVIRONMENT}"
    return {
        filled(variable, "id", place): (
            text(variable, "name", place),
            str(field(variable, "value", place)),
        )
        for variable in items(answer, _ENVIRONMENT, "workflow")
        if text(variable, "value_type", place) == "secret"
    }


def version(answer: Json, *, mode: str, named: bool = True) -> TargetVersion:
    """Read the workflow object of a published version."""
    place = "workflow"
    number = text(answer, "version", place)
    if number == DRAFT:
        raise shapes.unreadable(f"{place}.version", "a draft where a published version belongs")
    return TargetVersion(
        external_id=filled(answer, "id", place),
        external_hash=filled(answer, "hash", place),
        name=text(answer, "marked_name", place) if named else "",
        comment=text(answer, "marked_comment", place) if named else "",
        author=_author(field(answer, "created_by", place), f"{place}.created_by"),
        author_email=_email(field(answer, "created_by", place), f"{place}.created_by"),
        published_at=_published_at(number, moment(answer, "created_at", place)),
        document=_document(answer, place, mode),
    )


def draft(answer: Json, *, mode: str) -> TargetDraft:
    """Read an answer of `GET …/workflows/draft`."""
    place = "draft"
    creator = _author(field(answer, "created_by", place), f"{place}.created_by")
    return TargetDraft(
        token=filled(answer, "hash", place),
        document=_document(answer, place, mode),
        author=_author(field(answer, "updated_by", place), f"{place}.updated_by") or creator,
        updated_at=moment(answer, "updated_at", place),
    )


def new_token(answer: Json) -> str:
    """Read the draft's new hash from an answer of a draft sync."""
    _success(answer, "sync")
    return filled(answer, "hash", "sync")


def published(answer: Json) -> None:
    """Check an answer of a publish; it holds no id."""
    _success(answer, "publish")


def exported(answer: Json) -> str:
    """Read the YAML text from an answer of an export. It may hold secrets: never keep it."""
    return text(answer, "data", "export")


def profile(answer: Json) -> tuple[str, str]:
    """Read id and e-mail address from an answer of `GET /account/profile`."""
    return filled(answer, "id", "profile"), text(answer, "email", "profile")


@dataclass(frozen=True)
class Workspace:
    """A workspace (tenant) of the server."""

    id: str
    name: str


def current_workspace(answer: Json) -> Workspace:
    """Read the workspace in use from an answer of `GET /workspaces`."""
    for found in items(answer, "workspaces", "workspaces"):
        if field(found, "current", "workspaces") is True:
            return Workspace(filled(found, "id", "workspaces"), text(found, "name", "workspaces"))
    raise shapes.unreadable("workspaces", "none is the current one")


def role_of(answer: Json, account_id: str) -> str:
    """Read the role of an account from `GET /workspaces/current/members`; "" if it has none."""
    for member in items(answer, "accounts", "members"):
        if text(member, "id", "members") == account_id:
            return text(member, "role", "members")
    return ""


def _success(answer: Json, place: str) -> None:
    if text(answer, "result", place) != "success":
        raise shapes.unreadable(f"{place}.result", "not success")


def _author(answer: Json, place: str) -> str:
    if answer is None:
        return ""
    return text(answer, "name", place) or text(answer, "email", place)


def _email(answer: Json, place: str) -> str:
    return "" if answer is None else text(answer, "email", place)


def _published_at(number: str, created_at: datetime) -> datetime:
    """The time that the version is called by; `created_at` has only seconds."""
    exact = version_time(number)
    if exact is None or abs(exact - created_at) > timedelta(seconds=2):
        return created_at
    return exact


def version_time(number: str) -> datetime | None:
    """When the version called *number* was published: its name is that time in UTC.

    None for the draft, and for what else is no time.
    """
    try:
        return datetime.fromisoformat(number).replace(tzinfo=UTC)
    except ValueError:
        return None


def _document(answer: Json, place: str, mode: str) -> Document:
    content = {key: field(answer, key, place) for key in _REQUIRED}
    content[_LATER] = mapping(answer, place).get(_LATER) or []
    mapping(content["graph"], f"{place}.graph")
    mapping(content["features"], f"{place}.features")
    each(items(answer, _ENVIRONMENT, place), f"{place}.{_ENVIRONMENT}", _check_variable)
    items(answer, "conversation_variables", place)
    return document(mode, content, place)


def _check_variable(answer: Json, place: str) -> None:
    filled(answer, "id", place)
    text(answer, "name", place)
    filled(answer, "value_type", place)
    field(answer, "value", place)
