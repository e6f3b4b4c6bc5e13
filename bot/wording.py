"""The catalogue: codes and facts in, sentences of literal mrkdwn out; and lists of facts in words.

Each file of `templates/slack/words` has one block per code. Every expression there comes out as
literal text by `finalize`, so that a sentence cannot forget it; only the filters below make
mentions, links, times and code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
)
from jinja2.ext import InternationalizationExtension
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import catalogues, textsafe
from bot.domain import dry_run_told, lost, rehearsal_told
from bot.domain.card import CardAlert, CardLeg, CardView, CardVote
from bot.domain.diff import summary
from bot.domain.diff.summary import Phrase
from bot.domain.dry_run import Hitch
from bot.domain.lost import Lost
from bot.domain.quorum import KEYTURN
from bot.domain.rehearsal_told import Part
from bot.errors import BotError, GlassRefused, NotEligible
from bot.language import Tongue, gettext, message, ngettext
from bot.voice import OURS, Voice, spoken
from store.records import Choice, Json

_NAMED: Final = 8  # people, alerts or secrets that are named one by one
_MEMBERS: Final = 30  # people of a policy that are named one by one
_CALLED: Final = 40  # mentions that a section holds beside its sentence, however long their ids
_MINUTE_S: Final = 60
_HOUR_MIN: Final = 60
_DAY_H: Final = 24
_STATES: Final = {
    "DRAFT": message("is being prepared"),
    "PENDING_APPROVAL": message("waits for approval"),
    "APPROVED": message("is approved and about to start"),
    "BROKEN_GLASS": message("is about to start by break-glass"),
    "EXECUTING": message("is running"),
    "VERIFYING": message("is being verified"),
}
_ENDS: Final = {
    "COMPLETED": message("is done"),
    "REJECTED": message("was rejected"),
    "EXPIRED": message("expired"),
    "WITHDRAWN": message("was withdrawn"),
    "SUPERSEDED": message("gave way to another"),
    "FAILED": message("failed; the old version stays live"),
    "NEEDS_ATTENTION": message("*needs attention*"),
}
_JOBS: Final = {
    "snapshot": message("reads what was published"),
    "closer": message("looks for drift, and at drafts"),
    "remind": message("reminds those who may vote"),
    "remind-reviews": message("reminds of open reviews"),
    "prune": message("clears away what is done with"),
    "expire": message("ends what was not approved in time"),
    "close": message("closes cases that are over"),
    "recover": message("watches whether a rollback helped"),
}
_BARS: Final = {
    "deleted": message("deactivated"),
    "bot": message("a bot"),
    "guest": message("a guest"),
    "stranger": message("of another organisation"),
    "other_team": message("of another workspace"),
    "unknown": message("not known to Slack"),
}
_OVER: Final = message("is over")
_A_JOB: Final = message("a job")
_MAY_NOT: Final = message("may not")
_ELSE: Final = message("something else")
_SETTING: Final = message("Setting")
_MEASURED: Final = message("What the alert measures")
_RISKS: Final = (message("low"), message("medium"), message("high"), message("critical"))
KINDS: Final = (
    *(message("model"), message("prompt"), message("code"), message("tool"), message("http")),
    *(message("knowledge"), message("condition"), message("variable"), message("feature")),
    *(message("node"), message("edge"), message("title"), message("layout"), message("other")),
)
_TITLES: Final = {
    "model": message("Model"),
    "prompt": message("Prompt"),
    "code": message("Code"),
    "tool": message("Tool"),
    "http": message("HTTP request"),
    "knowledge": message("Knowledge"),
    "condition": message("Condition"),
    "variable": message("Variable"),
    "feature": message("Feature"),
    "node": message("Node"),
    "edge": message("Connection"),
    "title": message("Title"),
    "other": message("Setting"),
    "layout": message("Drawing"),
}
_OPS: Final = (message("added"), message("removed"), message("changed"), message("moved"))
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
    if block is None and spoken().templates:  # a team writes only the sentences of its own
        template = _catalogue(catalogue, OURS)
        block = template.blocks.get(str(code))
    if block is None:
        raise NoWords(f"no words for {catalogue} {str(code)!r}")
    try:
        text = "".join(block(template.new_context(dict(facts))))
    except (TemplateError, TypeError, ValueError) as error:
        raise NoWords(f"{catalogue} {code}: {error}") from error
    paragraphs = (joined(" ".join(part.split())) for part in text.split("\n\n"))
    return "\n".join(filter(None, paragraphs))


def _said(catalogue: str, code: str, facts: Mapping[str, Json]) -> str:
    """The sentence of *code* as a piece of another text."""
    return _marked(say(catalogue, code, facts))


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
    catalogues.keep()
    ours = FileSystemLoader(template_folders())
    made = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([DictLoader(voice.templates), ours]),
        autoescape=True,
        extensions=[InternationalizationExtension],
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    vars(made)["newstyle_gettext"] = True  # the sentence and what fills it come to one function
    return made


# -- Translated sentences ---------------------------------------------------------------------

# Chinese has no space beside its full-width signs. Where a sentence of ours begins or ends with
# one, a mark says so until the pieces are put together; no text of anybody else has it.
_MARK: Final = "\ue000"
_WIDE: Final = "，。：；！？、（）"
_MARKED: Final = re.compile(f" ?{_MARK} ?")


def joined(text: str) -> str:
    """Take the marks out of *text*, and the spaces beside them."""
    return _MARKED.sub("", text) if _MARK in text else text


def _marked(sentence: str) -> str:
    if sentence.startswith(tuple(_WIDE)):
        sentence = _MARK + sentence
    return sentence + _MARK if sentence.endswith(tuple(_WIDE)) else sentence


def translated(sentence: str, /, **values: object) -> str:
    """The *sentence*, filled, in the language of this moment."""
    return _marked(gettext(sentence)) % values


def counted(one: str, many: str, count: object, /, **values: object) -> str:
    """The sentence of *count* things, filled likewise; `num` is their number in it."""
    return _marked(ngettext(one, many, count)) % {"num": count, **values}


class _InCatalogue:
    """Says what is read outside Slack too in the language of this moment."""

    def filled(self, sentence: str, /, **values: object) -> str:
        return translated(sentence, **values)

    def counted(self, one: str, many: str, count: int, /, **values: object) -> str:
        return counted(one, many, count, **values)


_OF_NOW: Final[Tongue] = _InCatalogue()


def phrased(phrases: Sequence[Phrase]) -> str:
    """What a difference amounts to; literal text, as all that follows here."""
    return joined(summary.said(phrases, _OF_NOW))


def given_up(found: Sequence[Lost]) -> str:
    """What is lost by going back."""
    return joined(lost.words(found, _OF_NOW))


def hitched(found: Sequence[Hitch], env: str) -> str:
    """What a dry run found, on one line."""
    return joined(dry_run_told.line(found, env=env, tongue=_OF_NOW))


def rehearsed(told: Sequence[Part]) -> list[str]:
    """What a dry run says, a line each."""
    return [joined(line) for line in rehearsal_told.said(told, _OF_NOW)]


def headed(phrases: Sequence[Phrase], counts: Mapping[str, Json]) -> list[str]:
    """The first lines of a difference as text."""
    kinds = translated(", ").join(f"{_named(kind)} {int(n)}" for kind, n in counts.items())
    return [phrased(phrases), joined(translated("changes: %(kinds)s", kinds=kinds))]


def _sentence(sentence: str, /, **values: object) -> Markup:
    """What `{% trans %}` makes: ours is mrkdwn, what fills it is made so as every expression."""
    return _trusted(translated(sentence, **_each_as_mrkdwn(values)))


def _sentence_of(one: str, many: str, count: object, /, **values: object) -> Markup:
    return _trusted(counted(one, many, count, **_each_as_mrkdwn(values)))


def speak(made: Environment) -> None:
    """Give an environment of sentences what makes them in the language of the moment."""
    made.globals |= {"gettext": _sentence, "_": _sentence, "ngettext": _sentence_of}


def _each_as_mrkdwn(values: Mapping[str, object]) -> dict[str, object]:
    return {name: as_mrkdwn(value) for name, value in values.items()}


def template_folders() -> list[Path]:
    """Where the project's templates are: in the wheel, or in a checkout."""
    here = Path(__file__).parent
    return [here / "templates", here.parent / "templates"]


# -- Lists ------------------------------------------------------------------------------------


def _listed(
    items: Sequence[Json],
    one: Callable[[Json], str],
    between: str | None = None,
    most: int = _NAMED,
) -> str:
    named = (between or translated(", ")).join(one(item) for item in items[:most])
    return _and_more(named, len(items) - most)


def _and_more(named: str, more: int) -> str:
    return translated("%(named)s and %(more)s more", named=named, more=more) if more > 0 else named


def _people(slack_ids: Sequence[Json], between: str | None = None) -> str:
    return _listed(slack_ids, textsafe.mention, between)


def _reviewers(ids: Sequence[Json], between: str | None = None) -> str:
    """Mention *ids*, by default as those of whom any will do."""
    between = translated(", ") if between == ", " else between  # a list, in anybody's templates
    return _listed(ids, textsafe.reviewer, between or translated(" or "))


def _one_of_each(ids: Sequence[Json]) -> str:
    return _reviewers(ids, translated(" and one of "))


def _all_of_each(ids: Sequence[Json]) -> str:
    return _reviewers(ids, translated(" and "))


def _called(ids: Sequence[Json]) -> str:
    """Mention everyone who has to look; who is not mentioned is not called."""
    return _listed(ids, textsafe.reviewer, most=_CALLED)


def _members(slack_ids: Sequence[Json], you: Json) -> str:
    """Mention the people of a policy; the one who asks is marked."""

    def one(slack_id: Json) -> str:
        said = textsafe.mention(slack_id)
        return translated("%(who)s (you)", who=said) if slack_id == you else said

    first = sorted(slack_ids, key=lambda slack_id: bool(slack_id != you))
    return _listed(first, one, most=_MEMBERS)


def _barred(people: Sequence[Json]) -> str:
    def one(person: Json) -> str:
        who = textsafe.mention(person["slack_id"])
        return translated("%(who)s (%(why)s)", who=who, why=_bar(person["why"]))

    return _listed(people, one)


def _bar(why: Json) -> str:
    return translated(_BARS.get(why, _MAY_NOT))


def _who(user_id: Json) -> str:
    """Whoever did it: a person of Slack, Keyturn itself, or somebody at the command line."""
    said = str(user_id)
    return "Keyturn" if said == KEYTURN else textsafe.mention(said)


def _counted(counts: Mapping[str, Json]) -> str:
    """What changed, by kind: `prompt 1, model 2`."""
    return _listed([*counts.items()], lambda one: f"{_kind(one[0])} {int(one[1])}")


def _kind(kind: str) -> str:
    return textsafe.mrkdwn(_named(kind), 30)


def _named(kind: str) -> str:
    return gettext(kind) if kind in KINDS else kind


def change(kind: str, op: str) -> str:
    """What was done to a thing of *kind*, as `Prompt changed`; literal text."""
    said = gettext(_TITLES.get(kind, _SETTING))
    done = gettext(op) if op in _OPS else op
    return translated("%(thing)s %(done)s", thing=said, done=done)


def _risk(risk: Json) -> str:
    return textsafe.mrkdwn(gettext(risk) if risk in _RISKS else risk, 20)


def _legs_asked(legs: Sequence[Mapping[str, Json]]) -> str:
    """Return the apps that were asked for with another, each with its version."""

    def one(leg: Mapping[str, Json]) -> str:
        where = textsafe.code(leg["where"])
        number = textsafe.mrkdwn(leg["number"])
        return translated("%(where)s to version %(number)s", where=where, number=number)

    return translated(", ").join(map(one, legs))


def _names(names: Sequence[Json]) -> str:
    return _listed(names, lambda name: textsafe.code(name, 60))


# -- Parts of a card --------------------------------------------------------------------------


def _secrets(view: CardView) -> str:
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
            names=_names(kept),
        )
        sentences.append(said)
    elif kept:
        said = counted(
            "%(names)s keeps the value that is live now.",
            "%(names)s keep the values that are live now.",
            len(kept),
            names=_names(kept),
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
            names=_names(own),
            version=version,
        )
        sentences.append(said)
    return " ".join(sentences)


def _alerts(alerts: Sequence[CardAlert]) -> str:
    return _listed(alerts, _alert, "\n")


def _alert(alert: CardAlert) -> str:
    severity = f" {textsafe.mrkdwn(alert.severity, 30)}" if alert.severity else ""
    name, fingerprint = textsafe.code(alert.name, 90), textsafe.code(alert.fingerprint, 24)
    facts = {"alert": f"{name}{severity} {fingerprint}", "at": textsafe.when(alert.starts_at)}
    if alert.firing:
        return translated("%(alert)s since %(at)s", **facts)
    return translated("%(alert)s no longer fires; began %(at)s", **facts)


def _votes(votes: Sequence[CardVote]) -> str:
    return "".join(f"\n{_vote(vote)}" for vote in votes[-_NAMED:])


def _vote(vote: CardVote) -> str:
    who = f"{textsafe.mention(vote.slack_id)} {textsafe.clock_time(vote.at)}"
    if vote.void:
        return translated("%(who)s (no longer counts)", who=who)
    return who if vote.choice is Choice.APPROVE else translated("%(who)s rejected", who=who)


def _version(view: CardView, side: str) -> str:
    old = side == "from"
    number = view.from_number if old else view.to_number
    author = view.from_author if old else view.to_author
    at = view.from_published_at if old else view.to_published_at
    facts = {"number": number, "at": textsafe.when(at)}
    if not author:
        return translated("version %(number)s, %(at)s", **facts)
    by = textsafe.mrkdwn(author, 60)
    return translated("version %(number)s, %(at)s by %(author)s", **facts, author=by)


def _legs(legs: Sequence[CardLeg]) -> str:
    """Return one line an app: from which version to which, with the link to its page."""
    return "\n".join(map(_leg, legs))


def _leg(leg: CardLeg) -> str:
    numbers = {"old": leg.from_number or "?", "new": leg.to_number or "?"}
    step = translated("version %(old)s → %(new)s", **numbers)
    page = f" · {textsafe.link(leg.page, translated('Side by side'))}" if leg.page else ""
    return f"• {textsafe.code(leg.where, 160)} {step}{page}"


# -- Durations --------------------------------------------------------------------------------


def _seconds(value: float) -> str:
    """Return a duration as people say it: 3.2 s, 2 min 10 s, 5 h 12 min, 3 d 4 h."""
    if round(value, 1) < _MINUTE_S:
        return translated("%(seconds)s s", seconds=f"{value:.1f}")
    minutes, seconds = divmod(round(value), _MINUTE_S)
    if minutes < _HOUR_MIN:
        return translated("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=seconds)
    hours, minutes = divmod(minutes, _HOUR_MIN)
    if hours < _DAY_H:
        return translated("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
    days, hours = divmod(hours, _DAY_H)
    return translated("%(days)s d %(hours)s h", days=days, hours=hours)


def _span(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if hours and not rest:
        return counted("%(num)s hour", "%(num)s hours", hours)
    return counted("%(num)s minute", "%(num)s minutes", minutes)


def _period(seconds: int) -> str:
    if seconds % _MINUTE_S:
        return translated("%(num)s seconds", num=seconds)
    return _span(seconds // _MINUTE_S)


# -- Measurements -----------------------------------------------------------------------------

_METRICS: Final = {
    "errors": message("The share of errors"),
    "latency": message("Latency"),
    "load": message("Load"),
}
_CAUSES: Final = {
    "change": "%(name)s",
    "upstream": message("an outage of %(name)s"),
    "load": message("the load"),
    "platform": message("something that all apps share"),
    "dependency": message("%(name)s, which nobody changed"),
    "alone": message("something outside the published versions"),
}


def _measure(value: float, metric: str) -> str:
    """Return a measured value in its unit, with as many digits as tell something."""
    if metric == "errors":
        return f"{value * 100:.1f} %" if value < 0.1 else f"{value * 100:.0f} %"
    number = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return translated("%(seconds)s s", seconds=number) if metric == "latency" else number


def _cause(cause: str, name: str) -> str:
    said = _CAUSES.get(cause, _ELSE)
    return translated(said, name=textsafe.code(name, 120))


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
    return " ".join(_said("evidence", reason["code"], reason) for reason in told)


# -- Impact -----------------------------------------------------------------------------------

_ACTING: Final = {
    "code": message("code"),
    "tool": message("a tool"),
    "http": message("an HTTP request"),
}
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
    return _and_more(translated(", ").join(named), count - len(named))


def _acting(kinds: Sequence[Json]) -> str:
    said = [translated(_ACTING.get(kind, _ELSE)) for kind in kinds]
    *first, last = said
    named = translated(", ").join(first)
    return translated("%(first)s or %(last)s", first=named, last=last) if first else last


def _impact(impact: Mapping[str, Json]) -> str:
    """Return an impact on one line; of several apps on a line each."""
    lines = [translated("Impact: *%(risk)s risk*", risk=_risk(impact["risk"]))]
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
    message("The old version is live there."),
    message("Nothing was changed, the old version is still live."),
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
    "summary_words": lambda phrases, n=300: textsafe.mrkdwn(phrased(phrases), n),
    "secrets": _secrets,
    "alerts": _alerts,
    "votes": _votes,
    "version": _version,
    "legs": _legs,
    "seconds": _seconds,
    "measure": _measure,
    "metric_words": lambda metric: translated(_METRICS.get(metric, _MEASURED)),
    "cause_words": _cause,
    "between": _between,
    "texts": _texts,
    "on_card": _on_card,
    "evidence_words": lambda reason: _said("evidence", reason["code"], reason),
    "some_names": _some_names,
    "all_names": _all_names,
    "acting": _acting,
    "impact": _impact,
    "impact_in_full": lambda part: _said("impact_in_full", part["code"], part),
    "span": _span,
    "state_words": lambda state: translated(_STATES.get(state, _OVER)),
    "end_words": lambda state: translated(_ENDS.get(state, _OVER)),
    "job_words": lambda name: translated(_JOBS.get(name, _A_JOB)),
    "one_of_each": _one_of_each,
    "all_of_each": _all_of_each,
    "legs_asked": _legs_asked,
    "risk_words": _risk,
    "kind_words": _kind,
    "legs_back": lambda legs: _legs_asked([{**leg, "number": leg["candidate"]} for leg in legs]),
    "days_words": lambda days: counted("%(num)s day", "%(num)s days", int(days)),
    "times_words": lambda count: counted("%(num)s time", "%(num)s times", int(count)),
    "people_all": lambda slack_ids: _people(slack_ids, translated(" and ")),
    "tenths": lambda number: f"{number:.1f}",
    "tick": textsafe.tick,
    "period": lambda seconds: _period(int(seconds)),
    "emoji": lambda code: _EMOJI.get(code, ":warning:"),
    "not_eligible": lambda why: _marked(NotEligible(str(why)).to_person()),
    "no_glass": lambda why: _marked(GlassRefused(str(why)).to_person()),
    "draft_words": lambda code: _said("draft", code, {}),
    "unchanged": lambda put_back: translated(_UNCHANGED[not put_back]),
    "outcome_words": lambda code, facts: _ended(code, facts),
    "recovery_words": lambda code, facts: _said("recovery", code, facts),
    "finding_words": lambda code, facts, where: _said("finding", code, {**facts, "where": where}),
}


def _ended(code: str, facts: Mapping[str, Json]) -> str:
    """How a rollback ended, and what became of the other apps where it was about several."""
    said = [_said("legs", "stuck", facts)] if facts.get("stuck") else []
    said.append(_said("outcome", code, facts))
    if legs := facts.get("legs"):
        said.append(_said("legs", "together", {"together": legs[1:]}))
    told = [code for code in ("put_back", "done") if facts.get(code)]
    said += [_said("legs", code, {code: facts[code]}) for code in told]
    return " ".join(said)


def as_mrkdwn(value: object) -> Markup:
    """What an expression of a sentence comes out as: literal text, unless a filter made it."""
    return value if isinstance(value, Markup) else _trusted(textsafe.mrkdwn(value))


def _trusted(text: str) -> Markup:
    return Markup(text)  # noqa: S704  # made safe by the filter that returned it


def _safe(made: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **named: _trusted(made(*args, **named))


@lru_cache(maxsize=4)  # voices: ours, the team's, and those of before a reload
def _words(voice: Voice) -> ImmutableSandboxedEnvironment:
    made = environment(as_mrkdwn, voice)
    speak(made)
    made.filters |= {name: _safe(filter_) for name, filter_ in FILTERS.items()}
    return made
