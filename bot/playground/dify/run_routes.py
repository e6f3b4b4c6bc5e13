"""The log of what ran."""

from __future__ import annotations

from aiohttp import web

from bot.playground.dify.doors import app_of, editor, whole_number

_MODES = frozenset({"workflow"})


async def list_runs(request: web.Request) -> web.Response:
    """The runs of one app, newest first."""
    editor(request)
    app = app_of(request, modes=_MODES)
    page = whole_number(request, "page", 1, most=99999)
    limit = whole_number(request, "limit", 20, most=100)
    runs = sorted(app.runs, key=lambda run: run.at, reverse=True)
    start = (page - 1) * limit
    return web.json_response(
        {
            "page": page,
            "limit": limit,
            "total": len(runs),
            "has_more": start + limit < len(runs),
            "data": [run.shown() for run in runs[start : start + limit]],
        }
    )
