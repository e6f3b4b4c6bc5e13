"""From the parts of a workflow to a document; here every secret value stays behind. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.adapters.dify.shapes import unreadable
from store.document import Document, Unreadable
from store.records import Json

VARIABLES = ("environment_variables", "conversation_variables", "rag_pipeline_variables")
_OF_A_SECRET = ("id", "name", "value_type", "description", "selector")


def document(mode: str, content: Mapping[str, Json], place: str) -> Document:
    """Make the document of *content*, of whose secrets neither value nor mask is taken.

    Raises:
        AnswerUnreadable: *content* is not JSON (NaN, half a surrogate, too deep); names the place.
    """
    kept = dict(content)
    for name in VARIABLES:
        if isinstance(kept.get(name), list):
            kept[name] = [_without_secret(variable) for variable in kept[name]]
    try:
        return Document.owned(mode, kept)
    except Unreadable as error:
        raise unreadable(place, str(error)) from error


def _without_secret(variable: Json) -> Json:
    if not isinstance(variable, dict) or variable.get("value_type") != "secret":
        return variable
    return {key: variable[key] for key in _OF_A_SECRET if key in variable}
