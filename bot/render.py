"""Cards, replies and dialogs as Block Kit, drawn from `templates/slack`.

Two environments share one rule: every expression is made safe by `finalize`, so that a template
cannot forget it. In `*.json.j2` it comes out as a JSON literal; in `words/*.j2`, the catalogue of
sentences, as literal mrkdwn. Only the filters of `bot.textsafe` make mentions, links and times.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import textsafe
from bot.blockkit import (
    MESSAGE_BLOCK_TEXT,
    MESSAGE_BLOCKS,
    MESSAGE_TEXT,
    VIEW_PRIVATE_METADATA,
    Problem,
    message_problems,
    text_size,
    view_problems,
)
from bot.domain.card import CardAlert, CardView, CardVote
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import BotError, NotEligible
from bot.ports import Note
from store.records import Choice, Json

CHANGES: Final = 12  # lines of the difference on a card; a phone shows no more anyway
REASON: Final = 500  # characters of a reviewer's reason
_NAMED: Final = 8  # people, alerts or secrets that are named one by one
_PAGE: Final = 2_800  # characters of one section of a list
_SPARE: Final = 200  # below the limit, which Slack does not document
_LINE: Final = 400

_STATES: Final = {
    "DRAFT": "is being prepared",
    "PENDING_APPROVAL": "waits for approval",
    "APPROVED": "is approved",
    "EXECUTING": "is running",
    "VERIFYING": "is being verified",
}
_EMOJI: Final = {
    "completed": ":white_check_mark:",
    "rejected": ":x:",
    "expired": ":hourglass:",
    "withdrawn": ":leftwards_arrow_with_hook:",
    "live_changed": ":twisted_rightwards_arrows:",
    "other_version": ":twisted_rightwards_arrows:",
    "already_live": ":twisted_rightwards_arrows:",
    "secrets_changed": ":twisted_rightwards_arrows:",
    "live_differs": ":rotating_light:",
    "published_by_other": ":rotating_light:",
    "draft_not_put_back": ":rotating_light:",
    "outcome_unknown": ":rotating_light:",
}


class BrokenBlocks(BotError):
    """What was drawn cannot be sent: words or facts are missing, or a rule of Slack is broken."""

    def __init__(self, what: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join([what, *map(str, problems[:5])]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Message:
    """A message for Slack; `text` is what notifications and screen readers give."""

    text: str
    blocks: list[dict[str, Any]]


def card(view: CardView) -> Message:
    """Return the one message that shows a case.

    The least important changes are left out first when not all fit; the card says how many.

    Raises:
        BrokenBlocks: A code has no words, a fact is missing, or Slack would refuse it.
    """

    def draw(n: int) -> Message:
        left = view.changes_left + len(view.changes) - n
        return _drawn("card", card=view, changes=view.changes[:n], left=left)

    return _checked(fit(draw, min(len(view.changes), CHANGES)), f"card of case {view.case_id}")


def note(note: Note) -> Message:
    """Return a reply for the case's thread. Raises `BrokenBlocks`."""
    lines = note.facts["lines"] if note.code == NoteCode.EDITS_SLIPPED_IN else ()
    return _reply("note", note, lines=lines)


def answer(note: Note) -> Message:
    """Return an answer to one person. Raises `BrokenBlocks`."""
    if note.code == AnswerCode.DIFFERENCE:
        return _reply("answer", note, lines=str(note.facts["text"]).splitlines())
    if note.code == AnswerCode.STATUS:
        return _reply(
            "answer", note, rows=[_say("row", "status", row) for row in note.facts["rows"]]
        )
    return _reply("answer", note)


def reject_view(*, value: str, channel: str, ts: str) -> dict[str, Any]:
    """Return the dialog that asks why; it carries the card's place and its button's *value*."""
    metadata = json.dumps({"value": value, "channel": channel, "ts": ts})
    if len(metadata) > VIEW_PRIVATE_METADATA:
        raise BrokenBlocks("the button's value is too long for a dialog")
    view = _parsed("reject", metadata=metadata, max_length=REASON)
    if found := view_problems(view):
        raise BrokenBlocks("dialog", found)
    return view


def fit(draw: Callable[[int], Message], most: int) -> Message:
    """Return *draw* of as many things as fit into one message, at most *most*."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2 if low or high < most else high  # mostly all of it fits
        if _fits(draw(middle)):
            low = middle
        else:
            high = middle - 1
    return draw(low)


def _fits(message: Message) -> bool:
    return (
        text_size(message.blocks) <= MESSAGE_BLOCK_TEXT - _SPARE
        and len(message.blocks) <= MESSAGE_BLOCKS
        and len(message.text) <= MESSAGE_TEXT
    )


# -- Drawing ----------------------------------------------------------------------------------


def _reply(
    catalogue: str, note: Note, *, lines: Sequence[Json] = (), rows: Sequence[str] = ()
) -> Message:
    sentence = _say(catalogue, note.code, note.facts)
    shown = [textsafe.visible(line, _LINE) for line in lines]
    total = len(shown) or len(rows)

    def draw(n: int) -> Message:
        return _drawn(
            "reply",
            sentence=sentence,
            lines=shown[:n],
            rows=_pages(rows[:n]),
            left=total - n,
            things="lines in the thread" if shown else "apps",
        )

    return _checked(fit(draw, total), f"{catalogue} {note.code}")


def _pages(rows: Iterable[str]) -> list[str]:
    pages: list[str] = []
    for row in rows:
        if pages and len(pages[-1]) + len(row) < _PAGE:
            pages[-1] += f"\n{row}"
        else:
            pages.append(row)
    return pages


def _checked(message: Message, what: str) -> Message:
    if found := message_problems({"text": message.text, "blocks": message.blocks}):
        raise BrokenBlocks(what, found)
    return message


def _drawn(template: str, **context: object) -> Message:
    made = _parsed(template, **context)
    return Message(made["text"], made["blocks"])


def _parsed(template: str, **context: object) -> dict[str, Any]:
    try:
        text = _json.get_template(f"slack/{template}.json.j2").render(context)
        made: dict[str, Any] = json.loads(text)
    except (TemplateError, TypeError, ValueError) as error:
        raise BrokenBlocks(f"{template}: {error}") from error
    return made


def _say(catalogue: str, code: str, facts: Mapping[str, Json]) -> str:
    """Return the sentence of *code*; an empty line of the template is a line break."""
    template = _words.get_template(f"slack/words/{catalogue}.j2")
    block = template.blocks.get(str(code))
    if block is None:
        raise BrokenBlocks(f"no words for {catalogue} {code}")
    try:
        text = "".join(block(template.new_context(dict(facts))))
    except (TemplateError, TypeError, ValueError) as error:
        raise BrokenBlocks(f"{catalogue} {code}: {error}") from error
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n".join(filter(None, paragraphs))


# -- Filters: facts in, mrkdwn out ------------------------------------------------------------


def _listed(items: Sequence[Json], one: Callable[[Json], str], joined: str = ", ") -> str:
    named = joined.join(one(item) for item in items[:_NAMED])
    more = len(items) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def _people(slack_ids: Sequence[Json], joined: str = ", ") -> str:
    return _listed(slack_ids, textsafe.mention, joined)


def _reviewers(ids: Sequence[Json]) -> str:
    return _listed(ids, textsafe.reviewer, " or ")


def _names(names: Sequence[Json]) -> str:
    return _listed(names, lambda name: textsafe.code(name, 60))


def _secrets(view: CardView) -> str:
    sentences = []
    if kept := view.secrets_kept:
        many = len(kept) > 1
        verb = "keep the values that are" if many else "keeps the value that is"
        sentences.append(f"{_names(kept)} {verb} live now.")
    if own := view.secrets_from_version:
        many = len(own) > 1
        version = f"version {view.to_number}" if view.to_number else "the older version"
        verb, values = ("take", "values") if many else ("takes", "value")
        sentences.append(f"{_names(own)} {verb} {version}'s own {values}.")
    return ":lock: " + " ".join(sentences)


def _alerts(alerts: Sequence[CardAlert]) -> str:
    return _listed(alerts, _alert, "\n")


def _alert(alert: CardAlert) -> str:
    severity = f" {textsafe.mrkdwn(alert.severity, 30)}" if alert.severity else ""
    state = "since" if alert.firing else "no longer fires, began"
    name, fingerprint = textsafe.code(alert.name, 90), textsafe.code(alert.fingerprint, 24)
    return f"{name}{severity} {fingerprint} {state} {textsafe.when(alert.starts_at)}"


def _votes(votes: Sequence[CardVote]) -> str:
    return "".join(f"\n{_vote(vote)}" for vote in votes[-_NAMED:])


def _vote(vote: CardVote) -> str:
    who = f"{textsafe.mention(vote.slack_id)} {textsafe.clock_time(vote.at)}"
    if vote.void:
        return f"{who} no longer counts"
    return who if vote.choice is Choice.APPROVE else f"{who} rejected"


def _version(view: CardView, side: str) -> str:
    old = side == "from"
    number = view.from_number if old else view.to_number
    author = view.from_author if old else view.to_author
    at = view.from_published_at if old else view.to_published_at
    by = f" by {textsafe.mrkdwn(author, 60)}" if author else ""
    return f"version {number}, {textsafe.when(at)}{by}"


def _seconds(value: float) -> str:
    """Return a duration as people say it: 3.2 s, 2 min 10 s."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def _span(minutes: int) -> str:
    count, unit = (
        (minutes // 60, "hour") if minutes >= 60 and minutes % 60 == 0 else (minutes, "minute")
    )
    return f"{count} {unit}{'' if count == 1 else 's'}"


_MRKDWN: Final[dict[str, Callable[..., str]]] = {
    "mrkdwn": textsafe.mrkdwn,
    "code": textsafe.code,
    "mention": textsafe.mention,
    "link": textsafe.link,
    "when": textsafe.when,
    "told": textsafe.told,
    "people": _people,
    "reviewers": _reviewers,
    "names_listed": _names,
    "secrets": _secrets,
    "alerts": _alerts,
    "votes": _votes,
    "version": _version,
    "seconds": _seconds,
    "span": _span,
    "state_words": lambda state: _STATES.get(state, "is over"),
    "emoji": lambda code: _EMOJI.get(code, ":warning:"),
    "not_eligible": lambda why: NotEligible(str(why)).to_person(),
    "draft_words": lambda code: _say("draft", code, {}),
    "outcome_words": lambda code, facts: _say("outcome", code, facts),
    "finding_words": lambda code, facts, where: _say("finding", code, {**facts, "where": where}),
}


# -- The environments -------------------------------------------------------------------------


def _as_json(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(json.dumps(value))  # noqa: S704  # a JSON literal


def _as_mrkdwn(value: object) -> Markup:
    return value if isinstance(value, Markup) else _trusted(textsafe.mrkdwn(value))


def _trusted(text: str) -> Markup:
    return Markup(text)  # noqa: S704  # made safe by the filter that returned it


def _safe(made: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **named: _trusted(made(*args, **named))


def _environment(finalize: Callable[[object], Markup]) -> ImmutableSandboxedEnvironment:
    here = Path(__file__).parent
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([here / "templates", here.parent / "templates"]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_json: Final = _environment(_as_json)
_json.filters |= _MRKDWN
_json.filters |= {
    "clean": textsafe.clean,
    "visible": textsafe.visible,
    "one_line": textsafe.one_line,
}
_words: Final = _environment(_as_mrkdwn)
_words.filters |= {name: _safe(made) for name, made in _MRKDWN.items()}
