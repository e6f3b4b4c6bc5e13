"""Whether the secrets of the editors' draft allow a rollback to write into it."""

from __future__ import annotations

from bot.domain.words import OutcomeCode
from bot.ports.target import SecretsComparison, SecretsVerdict
from bot.services.settle import Ending
from store.document import Document
from store.records import Json, Leg, State


def hindrance(found: SecretsComparison, leg: Leg, live: Document, *, begun: bool) -> Ending | None:
    """Return the end of a rollback that may not touch the draft; None: it may.

    Once it has *begun*, a value of its own is one that somebody has set since.

    Where no published version's secrets can be read, the values in force will be the draft's.
    That is allowed only if the reviewers were told so, and the draft has every secret of live.
    """
    match found.verdict:
        case SecretsVerdict.EQUAL:
            return None
        case SecretsVerdict.DIFFER:
            return _failed(OutcomeCode.DRAFT_HAS_SECRETS, found.names, out_of_reach=not begun)
        case SecretsVerdict.ALIKE if leg.secrets.get("of_draft") is True:
            absent = tuple(secret.name for secret in live.secrets if secret.id in found.absent)
            return _failed(OutcomeCode.DRAFT_LACKS_SECRETS, absent) if absent else None
        case _:
            return _failed(OutcomeCode.DRAFT_SECRETS_UNKNOWN, found.names)


def _failed(code: OutcomeCode, names: tuple[str, ...], **facts: Json) -> Ending:
    return Ending(State.FAILED, code, {"names": list(names), **facts})
