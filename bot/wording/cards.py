"""Parts of a card: secrets in force, alerts, votes, versions and apps."""

from __future__ import annotations

from collections.abc import Sequence

from bot import textsafe
from bot.domain.card import CardAlert, CardLeg, CardView, CardVote
from bot.language import message
from bot.wording.lists import NAMED, listed, names
from bot.wording.speech import counted, translated
from store.records import Choice


def secrets(view: CardView) -> str:
    """Return which secrets will be in force: promised to whoever approves."""
    sentences = []
    kept, own = view.secrets_kept, view.secrets_from_version
    if kept and view.secrets_of_draft:
        said = counted(
            "%(names)s takes the value of the editors' draft: "
            "this Dify shows no published value, so I could not compare with live.",
            "%(names)s take the values of the editors' draft: "
            "this Dify shows no published values, so I could not compare with live.",
            len(kept),
            names=names(kept),
        )
        sentences.append(said)
    elif kept:
        said = counted(
            "%(names)s keeps the value that is live now.",
            "%(names)s keep the values that are live now.",
            len(kept),
            names=names(kept),
        )
        sentences.append(said)
    if own:
        older = message("the older version")
        number = view.to_number
        version = translated("version %(number)s", number=number) if number else translated(older)
        said = counted(
            "%(names)s takes %(version)s's own value.",
            "%(names)s take %(version)s's own values.",
            len(own),
            names=names(own),
            version=version,
        )
        sentences.append(said)
    return " ".join(sentences)


def alerts(alerts: Sequence[CardAlert]) -> str:
    """A line for each alert."""
    return listed(alerts, _alert, "\n")


def _alert(alert: CardAlert) -> str:
    severity = f" {textsafe.mrkdwn(alert.severity, 30)}" if alert.severity else ""
    name, fingerprint = textsafe.code(alert.name, 90), textsafe.code(alert.fingerprint, 24)
    facts = {"alert": f"{name}{severity} {fingerprint}", "at": textsafe.when(alert.starts_at)}
    if alert.firing:
        return translated("%(alert)s since %(at)s", **facts)
    return translated("%(alert)s no longer fires; began %(at)s", **facts)


def votes(votes: Sequence[CardVote]) -> str:
    """A line for each vote, the newest ones; each begins with the break."""
    return "".join(f"\n{_vote(vote)}" for vote in votes[-NAMED:])


def _vote(vote: CardVote) -> str:
    who = f"{textsafe.mention(vote.slack_id)} {textsafe.clock_time(vote.at)}"
    if vote.void:
        return translated("%(who)s (no longer counts)", who=who)
    return who if vote.choice is Choice.APPROVE else translated("%(who)s rejected", who=who)


def version(view: CardView, side: str) -> str:
    """A side of the rollback, *from* or *to*: its version, when and by whom."""
    old = side == "from"
    number = view.from_number if old else view.to_number
    author = view.from_author if old else view.to_author
    at = view.from_published_at if old else view.to_published_at
    facts = {"number": number, "at": textsafe.when(at)}
    if not author:
        return translated("version %(number)s, %(at)s", **facts)
    by = textsafe.mrkdwn(author, 60)
    return translated("version %(number)s, %(at)s by %(author)s", **facts, author=by)


def legs(legs: Sequence[CardLeg]) -> str:
    """Return one line an app: from which version to which, with the link to its page."""
    return "\n".join(map(_leg, legs))


def _leg(leg: CardLeg) -> str:
    numbers = {"old": leg.from_number or "?", "new": leg.to_number or "?"}
    step = translated("version %(old)s → %(new)s", **numbers)
    page = f" · {textsafe.link(leg.page, translated('Side by side'))}" if leg.page else ""
    return f"• {textsafe.code(leg.where, 160)} {step}{page}"
