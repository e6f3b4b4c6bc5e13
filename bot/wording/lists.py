"""Lists of people and of names: few of them, and how many more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bot import textsafe
from bot.domain.quorum import KEYTURN
from bot.language import message
from bot.wording.speech import translated
from store.records import Json

NAMED: Final = 8  # people, alerts or secrets that are named one by one
_MEMBERS: Final = 30  # people of a policy that are named one by one
_CALLED: Final = 40  # mentions that a section holds beside its sentence, however long their ids
_BARS: Final = {
    "deleted": message("deactivated"),
    "bot": message("a bot"),
    "guest": message("a guest"),
    "stranger": message("of another organisation"),
    "other_team": message("of another workspace"),
    "unknown": message("not known to Slack"),
}
_MAY_NOT: Final = message("may not")


def listed(
    items: Sequence[Json],
    one: Callable[[Json], str],
    between: str | None = None,
    most: int = NAMED,
) -> str:
    """The first of *items*, and how many more."""
    named = (between or translated(", ")).join(one(item) for item in items[:most])
    return _and_more(named, len(items) - most)


def _and_more(named: str, more: int) -> str:
    return translated("%(named)s and %(more)s more", named=named, more=more) if more > 0 else named


def people(slack_ids: Sequence[Json], between: str | None = None) -> str:
    """Mention people."""
    return listed(slack_ids, textsafe.mention, between)


def reviewers(ids: Sequence[Json], between: str | None = None) -> str:
    """Mention *ids*, by default as those of whom any will do."""
    between = translated(", ") if between == ", " else between  # a list, in anybody's templates
    return listed(ids, textsafe.reviewer, between or translated(" or "))


def one_of_each(ids: Sequence[Json]) -> str:
    """Mention those of whom one each is missing."""
    return reviewers(ids, translated(" and one of "))


def all_of_each(ids: Sequence[Json]) -> str:
    """Mention those of whom one each has to approve."""
    return reviewers(ids, translated(" and "))


def called(ids: Sequence[Json]) -> str:
    """Mention everyone who has to look; who is not mentioned is not called."""
    return listed(ids, textsafe.reviewer, most=_CALLED)


def members(slack_ids: Sequence[Json], you: Json) -> str:
    """Mention the people of a policy; the one who asks is marked."""

    def one(slack_id: Json) -> str:
        said = textsafe.mention(slack_id)
        return translated("%(who)s (you)", who=said) if slack_id == you else said

    first = sorted(slack_ids, key=lambda slack_id: bool(slack_id != you))
    return listed(first, one, most=_MEMBERS)


def barred(people: Sequence[Json]) -> str:
    """Mention people with why their vote would not be taken."""

    def one(person: Json) -> str:
        who = textsafe.mention(person["slack_id"])
        return translated("%(who)s (%(why)s)", who=who, why=_bar(person["why"]))

    return listed(people, one)


def _bar(why: Json) -> str:
    return translated(_BARS.get(why, _MAY_NOT))


def who(user_id: Json) -> str:
    """Whoever did it: a person of Slack, Keyturn itself, or somebody at the command line."""
    said = str(user_id)
    return "Keyturn" if said == KEYTURN else textsafe.mention(said)


def names(names: Sequence[Json]) -> str:
    """Names as code."""
    return listed(names, lambda name: textsafe.code(name, 60))


def texts(texts: Sequence[Json]) -> str:
    """What others wrote, literally."""
    return listed(texts, lambda text: textsafe.mrkdwn(text, 120))


def legs_asked(legs: Sequence[Mapping[str, Json]]) -> str:
    """Return the apps that were asked for with another, each with its version."""

    def one(leg: Mapping[str, Json]) -> str:
        where = textsafe.code(leg["where"])
        number = textsafe.mrkdwn(leg["number"])
        return translated("%(where)s to version %(number)s", where=where, number=number)

    return translated(", ").join(map(one, legs))


_CALLERS: Final = 3  # apps that a card's line names
APP: Final = 32  # letters of an app's name there


def some_names(names: Sequence[Json], count: int) -> str:
    """Return the first few of *count* names."""
    return _of_so_many([textsafe.code(name, APP) for name in names[:_CALLERS]], count)


def all_names(names: Sequence[Json], count: int) -> str:
    """Return *names*, the first of *count*."""
    return _of_so_many([textsafe.code(name, 64) for name in names], count)


def _of_so_many(named: Sequence[str], count: int) -> str:
    return _and_more(translated(", ").join(named), count - len(named))
