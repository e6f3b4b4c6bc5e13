"""What an operator wants to know of a Dify workspace: its name, and whether we may edit."""

from __future__ import annotations

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.shapes import items, mapping
from bot.errors import AnswerUnreadable, UpstreamRefused

FORBIDDEN = "forbidden"


async def workspace_name(target: DifyTarget) -> str:
    """The name of the account's current workspace; "" when Dify does not tell.

    Raises:
        LoginRefused, AccountLocked, UpstreamDown, UpstreamRefused.
    """
    answer = await target.reading.json("/workspaces")
    try:
        for workspace in items(answer, "workspaces", "workspaces"):
            found = mapping(workspace, "workspaces")
            if found.get("current") is True:
                return str(found.get("name") or "")
    except AnswerUnreadable:
        return ""
    return ""


async def may_edit(target: DifyTarget, app_id: str) -> bool:
    """Whether the account is an editor: nobody else may read a draft.

    Raises:
        UpstreamDown, UpstreamRefused: It cannot be told.
    """
    try:
        await target.draft(app_id)
    except UpstreamRefused as error:
        if error.upstream_code == FORBIDDEN:
            return False
        raise
    return True
