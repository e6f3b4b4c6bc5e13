"""The catalogue: codes and facts in, sentences of literal mrkdwn out.

Each file of `templates/slack/words` has one block per code. Every expression there comes out as
literal text by `finalize`, so that a sentence cannot forget it; only the filters below make
mentions, links, times and code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import textsafe
from bot.errors import BotError, GlassRefused, NotEligible
from bot.language import message
from bot.voice import OURS, Voice, spoken
from bot.wording import cards, changes, lists, measures, states
from bot.wording.sandbox import environment
from bot.wording.speech import as_mrkdwn, counted, joined, marked, speak, translated, trusted
from store.records import Json


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
    return marked(say(catalogue, code, facts))


def _catalogue(name: str, voice: Voice) -> Template:
    try:
        return _words(voice).get_template(f"slack/words/{name}.j2")
    except TemplateError as error:  # one of the team's
        raise NoWords(f"{name}: {error}") from error


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


_ACTING: Final = {
    "code": message("code"),
    "tool": message("a tool"),
    "http": message("an HTTP request"),
}
_OF_SEVERAL: Final = 2  # parts of each of several apps; the thread has all


def _acting(kinds: Sequence[Json]) -> str:
    said = [translated(_ACTING.get(kind, measures.ELSE)) for kind in kinds]
    *first, last = said
    named = translated(", ").join(first)
    return translated("%(first)s or %(last)s", first=named, last=last) if first else last


def _impact(impact: Mapping[str, Json]) -> str:
    """Return an impact on one line; of several apps on a line each."""
    lines = [translated("Impact: *%(risk)s risk*", risk=changes.risk(impact["risk"]))]
    for app in impact["apps"]:
        said = [say("impact", part["code"], part) for part in app["parts"]]
        if app["where"]:
            few = " · ".join(said[:_OF_SEVERAL])
            lines.append(f"• {textsafe.code(app['where'], 2 * lists.APP)} {few}")
        else:
            lines[0] = " · ".join([lines[0], *said])
    return "\n".join(lines)


_UNCHANGED: Final = (
    message("The old version is live there."),
    message("Nothing was changed, the old version is still live."),
)


def _ended(code: str, facts: Mapping[str, Json]) -> str:
    """How a rollback ended, and what became of the other apps where it was about several."""
    said = [_said("legs", "stuck", facts)] if facts.get("stuck") else []
    said.append(_said("outcome", code, facts))
    if legs := facts.get("legs"):
        said.append(_said("legs", "together", {"together": legs[1:]}))
    told = [code for code in ("put_back", "done") if facts.get(code)]
    said += [_said("legs", code, {code: facts[code]}) for code in told]
    return " ".join(said)


FILTERS: Final[dict[str, Callable[..., str]]] = {
    "mrkdwn": textsafe.mrkdwn,
    "code": textsafe.code,
    "mention": textsafe.mention,
    "link": textsafe.link,
    "when": textsafe.when,
    "told": textsafe.told,
    "people": lists.people,
    "reviewers": lists.reviewers,
    "called": lists.called,
    "names_listed": lists.names,
    "who": lists.who,
    "members": lists.members,
    "barred": lists.barred,
    "counted": changes.by_kind,
    "summary_words": lambda phrases, n=300: textsafe.mrkdwn(changes.phrased(phrases), n),
    "secrets": cards.secrets,
    "alerts": cards.alerts,
    "votes": cards.votes,
    "version": cards.version,
    "legs": cards.legs,
    "seconds": measures.seconds,
    "measure": measures.measure,
    "metric_words": measures.metric,
    "cause_words": measures.cause,
    "between": measures.between,
    "texts": lists.texts,
    "on_card": _on_card,
    "evidence_words": lambda reason: _said("evidence", reason["code"], reason),
    "some_names": lists.some_names,
    "all_names": lists.all_names,
    "acting": _acting,
    "impact": _impact,
    "impact_in_full": lambda part: _said("impact_in_full", part["code"], part),
    "span": measures.span,
    "state_words": states.state_words,
    "end_words": states.end_words,
    "job_words": states.job_words,
    "one_of_each": lists.one_of_each,
    "all_of_each": lists.all_of_each,
    "legs_asked": lists.legs_asked,
    "risk_words": changes.risk,
    "kind_words": changes.kind,
    "legs_back": lambda legs: lists.legs_asked(
        [{**leg, "number": leg["candidate"]} for leg in legs]
    ),
    "days_words": lambda days: counted("%(num)s day", "%(num)s days", int(days)),
    "times_words": lambda count: counted("%(num)s time", "%(num)s times", int(count)),
    "people_all": lambda slack_ids: lists.people(slack_ids, translated(" and ")),
    "tenths": lambda number: f"{number:.1f}",
    "tick": textsafe.tick,
    "period": lambda seconds: measures.period(int(seconds)),
    "emoji": states.emoji,
    "not_eligible": lambda why: marked(NotEligible(str(why)).to_person()),
    "no_glass": lambda why: marked(GlassRefused(str(why)).to_person()),
    "draft_words": lambda code: _said("draft", code, {}),
    "unchanged": lambda put_back: translated(_UNCHANGED[not put_back]),
    "outcome_words": lambda code, facts: _ended(code, facts),
    "recovery_words": lambda code, facts: _said("recovery", code, facts),
    "finding_words": lambda code, facts, where: _said("finding", code, {**facts, "where": where}),
}


def _safe(made: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **named: trusted(made(*args, **named))


@lru_cache(maxsize=4)  # voices: ours, the team's, and those of before a reload
def _words(voice: Voice) -> ImmutableSandboxedEnvironment:
    made = environment(as_mrkdwn, voice)
    speak(made)
    made.filters |= {name: _safe(filter_) for name, filter_ in FILTERS.items()}
    return made
