"""The draft and the published versions of one app."""

from __future__ import annotations

from aiohttp import web

from bot.playground.dify import refusals
from bot.playground.dify.doors import absent, editor, json_object, state_of, whole_number
from bot.playground.dify.doors import workflow_app as app_of
from bot.playground.dify.state import MARKED_COMMENT_MAX, MARKED_NAME_MAX
from bot.playground.dify.workflows import nothing, seconds

_LIMITS = {"marked_name": MARKED_NAME_MAX, "marked_comment": MARKED_COMMENT_MAX}


async def get_draft(request: web.Request) -> web.Response:
    """The draft with masked secrets."""
    editor(request)
    draft = app_of(request).draft
    if draft is None:
        error = refusals.draft_not_exist(state_of(request).release.no_draft_status)
        raise absent(error, request) if error.status == 404 else error
    return web.json_response(draft.shown())


async def sync_draft(request: web.Request) -> web.Response:
    """Compare the hash and replace everything; also as text/plain, which beacons send."""
    account, app = editor(request), app_of(request)
    if request.content_type not in {"application/json", "text/plain"}:
        raise refusals.unsupported_media_type(
            "The server does not support the media type transmitted in the request."
        )
    body = await json_object(request)
    for field in ("graph", "features"):
        if not isinstance(body.get(field), dict):
            raise refusals.invalid_param(f"{field}: Input should be a valid dictionary")
    draft = state_of(request).sync(app, body, expected=body.get("hash"), by=account)
    return web.json_response(
        {"result": "success", "hash": draft.hash, "updated_at": seconds(draft.updated_at)}
    )


async def get_published(request: web.Request) -> web.Response:
    """The live version; null or an object of nulls before the first one."""
    editor(request)
    live, release = app_of(request).live, state_of(request).release
    none = None if release.null_before_publish else nothing(release)
    return web.json_response(live.shown() if live else none)


async def publish(request: web.Request) -> web.Response:
    """Publish the draft as it is; there is no precondition."""
    account, app = editor(request), app_of(request)
    needs_json = state_of(request).release.publish_needs_json
    if needs_json and request.content_type != "application/json":
        raise refusals.unsupported_media_type(
            "Did not attempt to load JSON data because the request Content-Type was not "
            "'application/json'."
        )
    marks = await _marks(request, "PublishWorkflowPayload")
    version = state_of(request).publish(
        app,
        by=account,
        name=marks.get("marked_name", ""),
        comment=marks.get("marked_comment", ""),
    )
    return web.json_response({"result": "success", "created_at": seconds(version.created_at)})


async def _marks(request: web.Request, model: str) -> dict[str, str]:
    body = await json_object(request)
    marks: dict[str, str] = {}
    for field, limit in _LIMITS.items():
        value = body.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise refusals.invalid_param(f"{field}: Input should be a valid string")
        if len(value) > limit:
            if state_of(request).release.explains_length:
                words = field.replace("_", " ").capitalize()
                raise refusals.invalid_param(f"{words} cannot exceed {limit} characters")
            raise refusals.too_long(model, field, limit, value)
        marks[field] = value
    return marks


async def list_versions(request: web.Request) -> web.Response:
    """Newest first; the draft is item 0 and counts towards the limit."""
    account, app = editor(request), app_of(request)
    page = whole_number(request, "page", 1, most=99999)
    limit = whole_number(request, "limit", state_of(request).release.versions_a_page, most=100)
    if request.query.get("user_id", account.id) != account.id:
        raise refusals.forbidden()
    items = [*([app.draft] if app.draft else []), *reversed(app.published)]
    if not app.live_id:
        items = []
    if request.query.get("named_only", "false") == "true":
        items = [workflow for workflow in items if workflow.marked_name]
    if "user_id" in request.query:
        items = [workflow for workflow in items if workflow.created_by is account]
    start = (page - 1) * limit
    return web.json_response(
        {
            "items": [workflow.shown() for workflow in items[start : start + limit]],
            "page": page,
            "limit": limit,
            "has_more": start + limit < len(items),
        }
    )


async def patch_version(request: web.Request) -> web.Response:
    """Name or comment a version."""
    account, app = editor(request), app_of(request)
    marks, release = await _marks(request, "WorkflowUpdatePayload"), state_of(request).release
    if not marks:
        why = {"message": "No valid fields to update"}
        return web.json_response(
            why if release.empty_patch_says_why else nothing(release), status=400
        )
    found = app.workflow(request.match_info["workflow_id"])
    if found is None:
        raise refusals.not_found("Workflow not found")
    found.marked_name = marks.get("marked_name", found.marked_name)
    found.marked_comment = marks.get("marked_comment", found.marked_comment)
    found.updated_by, found.updated_at = account, state_of(request).clock()
    return web.json_response(found.shown())


async def delete_version(request: web.Request) -> web.Response:
    """Delete a version that is not live."""
    editor(request)
    state_of(request).delete_version(app_of(request).id, request.match_info["workflow_id"])
    return web.Response(status=204, content_type="application/json")


async def restore(request: web.Request) -> web.Response:
    """Copy a version over the draft; old releases have no such route."""
    if not state_of(request).release.restores:
        raise web.HTTPNotFound
    account, app = editor(request), app_of(request)
    draft = state_of(request).restore(app, request.match_info["workflow_id"], by=account)
    return web.json_response(
        {"result": "success", "hash": draft.hash, "updated_at": seconds(draft.updated_at)}
    )
