"""The catalogue: codes and facts in, sentences of literal mrkdwn out; and lists of facts in words.

Each file of `templates/slack/words` has one block per code. Every expression there comes out as
literal text by `finalize`, so that a sentence cannot forget it; only the filters below make
mentions, links, times and code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import textsafe
from bot.domain.card import CardAlert, CardLeg, CardView, CardVote
from bot.domain.quorum import KEYTURN
from bot.errors import BotError, GlassRefused, NotEligible
from bot.voice import OURS, Voice, spoken
from store.records import Choice, Json

_NAMED: Final = 8  # people, alerts or secrets that are named one by one
_MEMBERS: Final = 30  # people of a policy that are named one by one
_CALLED: Final = 40  # mentions that a section holds beside its sentence, however long their ids
_MINUTE_S: Final = 60
_HOUR_MIN: Final = 60
_DAY_H: Final = 24
_STATES: Final = {
    "DRAFT": "is being prepared",
    "PENDING_APPROVAL": "waits for approval",
    "APPROVED": "is approved and about to start",
    "BROKEN_GLASS": "is about to start by break-glass",
    "EXECUTING": "is running",
    "VERIFYING": "is being verified",
}
_ENDS: Final = {
    "COMPLETED": "is done",
    "REJECTED": "was rejected",
    "EXPIRED": "expired",
    "WITHDRAWN": "was withdrawn",
    "SUPERSEDED": "gave way to another",
    "FAILED": "failed; the old version stays live",
    "NEEDS_ATTENTION": "*needs attention*",
}
_JOBS: Final = {
    "snapshot": "reads what was published",
    "closer": "looks for drift, and at drafts",
    "remind": "reminds those who may vote",
    "remind-reviews": "reminds of open reviews",
    "prune": "clears away what is done with",
    "expire": "ends what was not approved in time",
    "close": "closes cases that are over",
    "recover": "watches whether a rollback helped",
}
_BARS: Final = {
    "deleted": "deactivated",
    "bot": "a bot",
    "guest": "a guest",
    "stranger": "of another organisation",
    "other_team": "of another workspace",
    "unknown": "not known to Slack",
}
_MOVED_ON, _ALARM = ":information_source:", ":rotating_light:"
_EMOJI: Final = {
    "completed": ":white_check_mark:",
    "rejected": ":x:",
    **dict.fromkeys(("expired", "not_started", "glass_not_started"), ":hourglass:"),
    **dict.fromkeys(("withdrawn", "requester_lost"), ":leftwards_arrow_with_hook:"),
    **dict.fromkeys(
        ("live_changed", "other_version", "already_live", "carried_out", "copied"), _MOVED_ON
    ),
    **dict.fromkeys(("live_differs", "published_by_other"), _ALARM),
    **dict.fromkeys(
        ("draft_not_put_back", "draft_secrets_lost", "outcome_unknown", "copy_unclear"), _ALARM
    ),
}


class NoWords(BotError):
    """The catalogue has no sentence for a code, or a fact that the sentence needs is missing."""


def say(catalogue: str, code: str, facts: Mapping[str, Json]) -> str:
    """Return the sentence of *code* in mrkdwn; an empty line of the template is a line break.

    Args:
        catalogue: A file of `templates/slack/words`, without its ending.
        code: A block of it.
        facts: What fills the sentence, as `bot.domain.words` names it; any text is safe.

    Raises:
        NoWords: There is no such block, or the facts do not fill it.
    """
    template = _catalogue(catalogue, spoken())
    block = template.blocks.get(str(code))
    if block is None and spoken() is not OURS:  # a team writes only the sentences of its own
        template = _catalogue(catalogue, OURS)
        block = template.blocks.get(str(code))
    if block is None:
        raise NoWords(f"no words for {catalogue} {str(code)!r}")
    try:
        text = "".join(block(template.new_context(dict(facts))))
    except (TemplateError, TypeError, ValueError) as error:
        raise NoWords(f"{catalogue} {code}: {error}") from error
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n".join(filter(None, paragraphs))


def _catalogue(name: str, voice: Voice) -> Template:
    try:
        return _words(voice).get_template(f"slack/words/{name}.j2")
    except TemplateError as error:  # one of the team's
        raise NoWords(f"{name}: {error}") from error


def environment(
    finalize: Callable[[object], Markup], voice: Voice = OURS
) -> ImmutableSandboxedEnvironment:
    """Return a sandboxed environment over the project's templates, in *voice*.

    *finalize* makes every expression safe for its kind of document; a missing value raises.
    """
    ours = FileSystemLoader(template_folders())
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(voice.templates), ours]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template_folders() -> list[Path]:
    """Where the project's templates are: in the wheel, or in a checkout."""
    here = Path(__file__).parent
    return [here / "templates", here.parent / "templates"]


# -- Lists ------------------------------------------------------------------------------------


def _listed(
    items: Sequence[Json], one: Callable[[Json], str], joined: str = ", ", most: int = _NAMED
) -> str:
    named = joined.join(one(item) for item in items[:most])
    more = len(items) - most
    return f"{named} and {more} more" if more > 0 else named


def _people(slack_ids: Sequence[Json], joined: str = ", ") -> str:
    return _listed(slack_ids, textsafe.mention, joined)


def _reviewers(ids: Sequence[Json], between: str = " or ") -> str:
    return _listed(ids, textsafe.reviewer, between)


def _called(ids: Sequence[Json]) -> str:
    """Mention everyone who has to look; who is not mentioned is not called."""
    return _listed(ids, textsafe.reviewer, most=_CALLED)


def _members(slack_ids: Sequence[Json], you: Json) -> str:
    """Mention the people of a policy; the one who asks is marked."""

    def one(slack_id: Json) -> str:
        return textsafe.mention(slack_id) + (" (you)" if slack_id == you else "")

    first = sorted(slack_ids, key=lambda slack_id: bool(slack_id != you))
    return _listed(first, one, most=_MEMBERS)


def _barred(people: Sequence[Json]) -> str:
    return _listed(people, lambda one: f"{textsafe.mention(one['slack_id'])} ({_bar(one['why'])})")


def _bar(why: Json) -> str:
    return _BARS.get(why, "may not")


def _who(user_id: Json) -> str:
    """Whoever did it: a person of Slack, Keyturn itself, or somebody at the command line."""
    said = str(user_id)
    return "Keyturn" if said == KEYTURN else textsafe.mention(said)


def _counted(counts: Mapping[str, Json]) -> str:
    """What changed, by kind: `prompt 1, model 2`."""
    return _listed([*counts.items()], lambda one: f"{textsafe.mrkdwn(one[0], 30)} {int(one[1])}")


def _names(names: Sequence[Json]) -> str:
    return _listed(names, lambda name: textsafe.code(name, 60))


# -- Parts of a card --------------------------------------------------------------------------


def _secrets(view: CardView) -> str:
    """Return which secrets will be in force: promised to whoever approves."""
    sentences = []
    if (kept := view.secrets_kept) and view.secrets_of_draft:
        verb, values = ("take", "values") if len(kept) > 1 else ("takes", "value")
        sentences.append(
            f"{_names(kept)} {verb} the {values} of the editors' draft: "
            f"this Dify shows no published {values}, so I could not compare with live."
        )
    elif kept:
        verb = "keep the values that are" if len(kept) > 1 else "keeps the value that is"
        sentences.append(f"{_names(kept)} {verb} live now.")
    if own := view.secrets_from_version:
        verb, values = ("take", "values") if len(own) > 1 else ("takes", "value")
        version = f"version {view.to_number}" if view.to_number else "the older version"
        sentences.append(f"{_names(own)} {verb} {version}'s own {values}.")
    return " ".join(sentences)


def _alerts(alerts: Sequence[CardAlert]) -> str:
    return _listed(alerts, _alert, "\n")


def _alert(alert: CardAlert) -> str:
    severity = f" {textsafe.mrkdwn(alert.severity, 30)}" if alert.severity else ""
    state = "since" if alert.firing else "no longer fires; began"
    name, fingerprint = textsafe.code(alert.name, 90), textsafe.code(alert.fingerprint, 24)
    return f"{name}{severity} {fingerprint} {state} {textsafe.when(alert.starts_at)}"


def _votes(votes: Sequence[CardVote]) -> str:
    return "".join(f"\n{_vote(vote)}" for vote in votes[-_NAMED:])


def _vote(vote: CardVote) -> str:
    who = f"{textsafe.mention(vote.slack_id)} {textsafe.clock_time(vote.at)}"
    if vote.void:
        return f"{who} (no longer counts)"
    return who if vote.choice is Choice.APPROVE else f"{who} rejected"


def _version(view: CardView, side: str) -> str:
    old = side == "from"
    number = view.from_number if old else view.to_number
    author = view.from_author if old else view.to_author
    at = view.from_published_at if old else view.to_published_at
    by = f" by {textsafe.mrkdwn(author, 60)}" if author else ""
    return f"version {number}, {textsafe.when(at)}{by}"


def _legs(legs: Sequence[CardLeg]) -> str:
    """Return one line an app: from which version to which, with the link to its page."""
    return "\n".join(
        f"• {textsafe.code(leg.where, 160)} version {leg.from_number or '?'} → "
        f"{leg.to_number or '?'}"
        + (f" · {textsafe.link(leg.page, 'Side by side')}" if leg.page else "")
        for leg in legs
    )


# -- Durations --------------------------------------------------------------------------------


def _seconds(value: float) -> str:
    """Return a duration as people say it: 3.2 s, 2 min 10 s, 5 h 12 min, 3 d 4 h."""
    if round(value, 1) < _MINUTE_S:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), _MINUTE_S)
    if minutes < _HOUR_MIN:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, _HOUR_MIN)
    if hours < _DAY_H:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, _DAY_H)
    return f"{days} d {hours} h"


def _span(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    count, unit = (hours, "hour") if hours and not rest else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _period(seconds: int) -> str:
    if seconds % _MINUTE_S:
        return f"{seconds} seconds"
    return _span(seconds // _MINUTE_S)


# -- Measurements -----------------------------------------------------------------------------

_METRICS: Final = {"errors": "The share of errors", "latency": "Latency", "load": "Load"}
_CAUSES: Final = {
    "change": "{}",
    "upstream": "an outage of {}",
    "load": "the load",
    "platform": "something that all apps share",
    "dependency": "{}, which nobody changed",
    "alone": "something outside the published versions",
}


def _measure(value: float, metric: str) -> str:
    """Return a measured value in its unit, with as many digits as tell something."""
    if metric == "errors":
        return f"{value * 100:.1f} %" if value < 0.1 else f"{value * 100:.0f} %"
    number = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{number} s" if metric == "latency" else number


def _cause(cause: str, name: str) -> str:
    return _CAUSES.get(cause, "something else").format(textsafe.code(name, 120))


def _between(times: Sequence[str]) -> str:
    first, last = (datetime.fromisoformat(time) for time in times)
    return _seconds((last - first).total_seconds())


def _texts(texts: Sequence[Json]) -> str:
    return _listed(texts, lambda text: textsafe.mrkdwn(text, 120))


_ON_CARD: Final = 3
_BESIDE: Final = frozenset(  # what the finding says itself, or what is only worth its place below
    {
        *("soon_after", "late_after", "touched", "not_measured", "onset_starts_at"),
        *("stayed_calm", "load_even", "instead"),
    }
)


def _on_card(reasons: Sequence[Mapping[str, Json]]) -> str:
    """The few most telling *reasons* in one paragraph."""
    told = [reason for reason in reasons if reason["code"] not in _BESIDE][:_ON_CARD]
    return " ".join(say("evidence", reason["code"], reason) for reason in told)


# -- Impact -----------------------------------------------------------------------------------

_ACTING: Final = {"code": "code", "tool": "a tool", "http": "an HTTP request"}
_CALLERS: Final = 3  # apps that a card's line names
_APP: Final = 32  # letters of an app's name there
_OF_SEVERAL: Final = 2  # parts of each of several apps; the thread has all


def _some_names(names: Sequence[Json], count: int) -> str:
    """Return the first few of *count* names."""
    return _of_so_many([textsafe.code(name, _APP) for name in names[:_CALLERS]], count)


def _all_names(names: Sequence[Json], count: int) -> str:
    """Return *names*, the first of *count*."""
    return _of_so_many([textsafe.code(name, 64) for name in names], count)


def _of_so_many(named: Sequence[str], count: int) -> str:
    more = count - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _acting(kinds: Sequence[Json]) -> str:
    *first, last = [_ACTING.get(kind, "something else") for kind in kinds]
    return f"{', '.join(first)} or {last}" if first else last


def _impact(impact: Mapping[str, Json]) -> str:
    """Return an impact on one line; of several apps on a line each."""
    lines = [f"Impact: *{textsafe.mrkdwn(impact['risk'], 20)} risk*"]
    for app in impact["apps"]:
        said = [say("impact", part["code"], part) for part in app["parts"]]
        if app["where"]:
            few = " · ".join(said[:_OF_SEVERAL])
            lines.append(f"• {textsafe.code(app['where'], 2 * _APP)} {few}")
        else:
            lines[0] = " · ".join([lines[0], *said])
    return "\n".join(lines)


# -- The environment of sentences -------------------------------------------------------------

_UNCHANGED: Final = (
    "The old version is live there.",
    "Nothing was changed, the old version is still live.",
)

FILTERS: Final[dict[str, Callable[..., str]]] = {
    "mrkdwn": textsafe.mrkdwn,
    "code": textsafe.code,
    "mention": textsafe.mention,
    "link": textsafe.link,
    "when": textsafe.when,
    "told": textsafe.told,
    "people": _people,
    "reviewers": _reviewers,
    "called": _called,
    "names_listed": _names,
    "who": _who,
    "members": _members,
    "barred": _barred,
    "counted": _counted,
    "secrets": _secrets,
    "alerts": _alerts,
    "votes": _votes,
    "version": _version,
    "legs": _legs,
    "seconds": _seconds,
    "measure": _measure,
    "metric_words": lambda metric: _METRICS.get(metric, "What the alert measures"),
    "cause_words": _cause,
    "between": _between,
    "texts": _texts,
    "on_card": _on_card,
    "evidence_words": lambda reason: say("evidence", reason["code"], reason),
    "some_names": _some_names,
    "all_names": _all_names,
    "acting": _acting,
    "impact": _impact,
    "impact_in_full": lambda part: say("impact_in_full", part["code"], part),
    "span": _span,
    "state_words": lambda state: _STATES.get(state, "is over"),
    "end_words": lambda state: _ENDS.get(state, "is over"),
    "job_words": lambda name: _JOBS.get(name, "a job"),
    "tick": textsafe.tick,
    "period": lambda seconds: _period(int(seconds)),
    "emoji": lambda code: _EMOJI.get(code, ":warning:"),
    "not_eligible": lambda why: NotEligible(str(why)).to_person(),
    "no_glass": lambda why: GlassRefused(str(why)).to_person(),
    "draft_words": lambda code: say("draft", code, {}),
    "unchanged": lambda put_back: _UNCHANGED[not put_back],
    "outcome_words": lambda code, facts: _ended(code, facts),
    "recovery_words": lambda code, facts: say("recovery", code, facts),
    "finding_words": lambda code, facts, where: say("finding", code, {**facts, "where": where}),
}


def _ended(code: str, facts: Mapping[str, Json]) -> str:
    """How a rollback ended, and what became of the other apps where it was about several."""
    said = [say("legs", "stuck", facts)] if facts.get("stuck") else []
    said.append(say("outcome", code, facts))
    if legs := facts.get("legs"):
        said.append(say("legs", "together", {"together": legs[1:]}))
    told = [code for code in ("put_back", "done") if facts.get(code)]
    said += [say("legs", code, {code: facts[code]}) for code in told]
    return " ".join(said)


def _as_mrkdwn(value: object) -> Markup:
    return value if isinstance(value, Markup) else _trusted(textsafe.mrkdwn(value))


def _trusted(text: str) -> Markup:
    return Markup(text)  # noqa: S704  # made safe by the filter that returned it


def _safe(made: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **named: _trusted(made(*args, **named))


@lru_cache(maxsize=4)  # voices: ours, the team's, and those of before a reload
def _words(voice: Voice) -> ImmutableSandboxedEnvironment:
    made = environment(_as_mrkdwn, voice)
    made.filters |= {name: _safe(filter_) for name, filter_ in FILTERS.items()}
    return made
