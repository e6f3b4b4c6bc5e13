"""What Dify says when it says no, in its own words."""

from __future__ import annotations

from typing import Any


class DifyError(Exception):
    """An answer with an error status and Dify's usual body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "status": self.status}


def unauthorized(message: str) -> DifyError:
    """401: who are you."""
    return DifyError(401, "unauthorized", message)


def forbidden() -> DifyError:
    """403: not you."""
    return DifyError(
        403,
        "forbidden",
        "You don't have the permission to access the requested resource. "
        "It is either read-protected or not readable by the server.",
    )


def not_found(what: str) -> DifyError:
    """404 for a workflow."""
    return DifyError(404, "not_found", what)


def bad_request(message: str) -> DifyError:
    """400 of a rule."""
    return DifyError(400, "bad_request", message)


def invalid_param(message: str) -> DifyError:
    """400 of a field."""
    return DifyError(400, "invalid_param", message)


def too_long(model: str, field: str, limit: int, value: str) -> DifyError:
    """Pydantic's sentence, which quotes at most 50 characters of the value."""
    shown = repr(value)
    if len(shown) > 50:
        shown = f"{shown[:25]}...{shown[-24:]}"
    return invalid_param(
        f"1 validation error for {model}\n{field}\n"
        f"  String should have at most {limit} characters "
        f"[type=string_too_long, input_value={shown}, input_type=str]\n"
        "    For further information visit https://errors.pydantic.dev/2.12/v/string_too_long"
    )


def app_not_found(message: str = "App not found.") -> DifyError:
    """404 for an app."""
    return DifyError(404, "app_not_found", message)


def draft_not_exist(status: int) -> DifyError:
    """404, or 400: the app has no draft yet."""
    return DifyError(status, "draft_workflow_not_exist", "Draft workflow need to be initialized.")


def draft_not_sync(status: int) -> DifyError:
    """409, or 400: somebody saved since."""
    return DifyError(
        status,
        "draft_workflow_not_sync",
        "Workflow graph might have been modified, please refresh and resubmit.",
    )


def unsupported_media_type(message: str) -> DifyError:
    """415: not JSON."""
    return DifyError(415, "unsupported_media_type", message)


def internal() -> DifyError:
    """500, as Dify says it."""
    return DifyError(500, "unknown", "Internal Server Error")
