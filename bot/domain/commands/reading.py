"""Words, read into what they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from bot.domain.commands.asked import (
    PAUSE_MIN,
    Absolve,
    Audit,
    BreakGlass,
    Choose,
    Command,
    Condemn,
    Diff,
    Drill,
    DryRun,
    Help,
    Jobs,
    Log,
    Named,
    Pause,
    Record,
    Resume,
    Review,
    Silence,
    Status,
    Tag,
    Tags,
    Take,
    TakeBack,
    To,
    ToTag,
    Undo,
    Untag,
    Who,
    Withdraw,
)
from bot.domain.tagging import is_tag
from bot.errors import BadCommand
from store.records import AppEnv

LONGEST = 300
ANY_APP: Final = "APP@ENV"  # stands in a form for an app that was not said
LONGEST_PAUSE_MIN: Final = 7 * 24 * 60
LIVE: Final = "live"
_FORMS: Final = {
    "help": "help",
    "status": "status",
    "jobs": "jobs",
    "log": f"log {ANY_APP}",
    "diff": f"diff {ANY_APP} A B",
    "who": f"who {ANY_APP}",
    "record": f"record {ANY_APP}",
    "snapshot": f"snapshot {ANY_APP}",
    "to": f"to {ANY_APP} VERSION",
    "drill": f"drill {ANY_APP}",
    "dry-run": f"dry-run {ANY_APP} VERSION",
    "undo": f"undo {ANY_APP} REASON",
    "break-glass": f"break-glass {ANY_APP} REASON",
    "review": f"review {ANY_APP}",
    "take-back": f"take-back {ANY_APP}",
    "withdraw": f"withdraw {ANY_APP}",
    "tag": f"tag {ANY_APP} VERSION NAME",
    "untag": f"untag {ANY_APP} NAME",
    "condemn": f"condemn {ANY_APP} VERSION REASON",
    "absolve": f"absolve {ANY_APP} VERSION REASON",
    "audit": f"audit {ANY_APP}",
    "pause": f"pause {ANY_APP} 2h REASON",
    "resume": f"resume {ANY_APP}",
    "silence": f"silence {ANY_APP} 30m",
}
_NAMED: Final = frozenset(_FORMS) - {"help", "status", "jobs"}  # verbs about an app
_NUMBER = re.compile(r"[vV#]?([1-9][0-9]{0,8})")
_SPAN = re.compile(r"(?:(\d{1,2})d)?(?:(\d{1,3})h)?(?:(\d{1,4})m(?:in)?)?", re.ASCII)
_AND, _TOGETHER = "and", "together"
_FOR, _OFF = "for", "off"
_LIVE_WORDS = frozenset({LIVE, "newest", "latest"})


def parse(text: str) -> Command:
    """Return what *text* asks for; no words at all ask for the dialog.

    Raises:
        BadCommand: It makes no sense; the error names the nearest form if one is near.
    """
    if len(text) > LONGEST or not text.replace("\t", " ").isprintable():
        raise BadCommand(text[:LONGEST])
    if not text.strip():
        return Choose()
    name, *words = text.split()
    verb = name.casefold()
    return _of_all(verb, words) or _of_one(text, name, words)


def _of_all(verb: str, words: Sequence[str]) -> Command | None:
    """What *verb* asks for without naming an app; None where it has to name one."""
    if verb == "help":
        return Help()
    if verb == "pause" and (not words or _minutes(words[0])):
        return _pause(None, words)
    return _ALONE[verb]() if verb in _ALONE and not words else None


# what is asked for by one word
_ALONE: Final[Mapping[str, Callable[[], Command]]] = {
    "status": Status,
    "jobs": Jobs,
    "snapshot": Take,
    "resume": Resume,
    "drill": Drill,
}


def _of_one(text: str, name: str, words: Sequence[str]) -> Named:
    verb = name.casefold()
    if verb not in _NAMED:
        raise _nonsense(text, name)
    return _named(text, verb, words)


def _named(text: str, verb: str, words: Sequence[str]) -> Named:
    """What *verb* asks for about one app."""
    said, rest = (words[0], words[1:]) if words else ("", ())
    where = _app(said)
    made = _asked(verb, where, rest) if where is not None else None
    if made is None:
        raise BadCommand(text, nearest=_form(verb, said if where else "", rest), app=said)
    return made


def _asked(verb: str, where: AppEnv, rest: Sequence[str]) -> Named | None:
    """The command, or None when *rest* is not what *verb* wants."""
    if verb in _BARE:
        return _BARE[verb](where) if not rest else None
    if verb in _SAID:
        return _SAID[verb](where, rest)
    if verb in _WITH_WORDS:
        return _WITH_WORDS[verb](where, rest) if rest else None
    if verb in ("tag", "untag"):
        return _tag(where, rest) if verb == "tag" else _untag(where, rest)
    words, page = _paged(rest)
    return None if page is None else _on_page(verb, where, words, page)


def _on_page(verb: str, where: AppEnv, words: Sequence[str], page: int) -> Named | None:
    if verb == "diff":
        return _diff(where, words, page)
    at = _page(words, page)
    if at is None:
        return None
    return Log(where, at) if verb == "log" else Audit(where, at)


_BARE: Final[Mapping[str, Callable[[AppEnv], Named]]] = {
    "who": Who,
    "snapshot": Take,
    "take-back": TakeBack,
    "withdraw": Withdraw,
    "resume": Resume,
    "drill": Drill,
}


def _break_glass(where: AppEnv, words: Sequence[str]) -> BreakGlass | None:
    return BreakGlass(where, " ".join(words)) if words else None


def _review(where: AppEnv, words: Sequence[str]) -> Review:
    return Review(where, " ".join(words))


def _record(where: AppEnv, words: Sequence[str]) -> Record | None:
    numbers = [_number(word) for word in words]
    return Record(where, *numbers) if len(numbers) <= 1 and None not in numbers else None


def _to(where: AppEnv, words: Sequence[str]) -> To | ToTag | None:
    if not words:
        return None
    goal, also, rest = _goal(words[0]), _also(words[1:]), words[1:]
    if goal is None or also is None:
        return None
    rest = rest[3 * len(also) :]
    together = bool(rest) and rest[0].casefold() == _TOGETHER
    said = " ".join(rest[1:] if together else rest), also, together
    return To(where, goal, *said) if isinstance(goal, int) else ToTag(where, goal, *said)


def _also(words: Sequence[str]) -> tuple[tuple[AppEnv, int | str], ...] | None:
    """Further apps with their versions, each after an "and"; None where one lacks its version.

    An "and" that no app follows begins the reason.
    """
    also: list[tuple[AppEnv, int | str]] = []
    while len(words) > 1 and words[0].casefold() == _AND and (where := _app(words[1])):
        goal = _goal(words[2]) if len(words) > 2 else None
        if goal is None:
            return None
        also.append((where, goal))
        words = words[3:]
    return tuple(also)


def _goal(word: str) -> int | str | None:
    """A version to go to: its number, or a tag; None for anything else."""
    if number := _number(word):
        return number
    name = word.casefold()
    return name if is_tag(name) else None


def _pause(where: AppEnv | None, words: Sequence[str]) -> Pause:
    minutes = _minutes(words[0]) if words else 0
    reason = " ".join(words[1:] if minutes else words)
    return Pause(where, minutes or PAUSE_MIN, reason)


def _silence(where: AppEnv, words: Sequence[str]) -> Silence | None:
    """How long, with or without a "for", and why behind it; or "off"."""
    if [word.casefold() for word in words] == [_OFF]:
        return Silence(where, 0)
    said = words[1:] if words and words[0].casefold() == _FOR else words
    if not words:
        return Silence(where)
    minutes = _minutes(said[0]) if said else 0
    return Silence(where, minutes, " ".join(said[1:])) if minutes else None


def _minutes(word: str) -> int:
    """How long *word* says, as `2h`, `90m` or `1d12h`; 0 where it says something else."""
    found = _SPAN.fullmatch(word.casefold())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return (days * 24 + hours) * 60 + minutes


# whose words at the end may be left out, or are a sentence of the person
_SAID: Final[Mapping[str, Callable[[AppEnv, Sequence[str]], Named | None]]] = {
    "to": _to,
    "break-glass": _break_glass,
    "review": _review,
    "pause": _pause,
    "silence": _silence,
    "record": _record,
}


def _undo(where: AppEnv, words: Sequence[str]) -> Undo:
    return Undo(where, " ".join(words))


def _condemn(where: AppEnv, words: Sequence[str]) -> Condemn | None:
    goal, reason = _goal(words[0]), " ".join(words[1:])
    return Condemn(where, goal, reason) if goal and reason else None


def _absolve(where: AppEnv, words: Sequence[str]) -> Absolve | None:
    asked = _condemn(where, words)
    return Absolve(where, asked.version, asked.reason) if asked else None


def _dry_run(where: AppEnv, words: Sequence[str]) -> DryRun | None:
    to = _to(where, words) if len(words) == 1 else None
    return DryRun(where, to.number if isinstance(to, To) else to.name) if to else None


_WITH_WORDS: Final[Mapping[str, Callable[[AppEnv, Sequence[str]], Named | None]]] = {
    "to": _to,
    "undo": _undo,
    "dry-run": _dry_run,
    "condemn": _condemn,
    "absolve": _absolve,
}


def _tag(where: AppEnv, words: Sequence[str]) -> Tags | Tag | None:
    if not words:
        return Tags(where)
    if len(words) != 2 or not _is_version(words[0]):
        return None
    name = words[1].casefold()
    return Tag(where, _version(words[0]), name) if is_tag(name) else None


def _untag(where: AppEnv, words: Sequence[str]) -> Untag | None:
    name = words[0].casefold() if len(words) == 1 else ""
    return Untag(where, name) if is_tag(name) else None


def _page(words: Sequence[str], page: int) -> int | None:
    """The page that is asked for, by its number alone too; None for anything else."""
    if len(words) == 1 and page == 1:
        return _number(words[0])
    return page if not words else None


def _diff(where: AppEnv, words: Sequence[str], page: int) -> Diff | None:
    if len(words) not in (1, 2) or not all(map(_is_version, words)):
        return None
    old, new = [*map(_version, words), None][:2]
    return Diff(where, old, new, page)


def _paged(words: Sequence[str]) -> tuple[Sequence[str], int | None]:
    """*words* without `page N` at their end, and N: 1 when it is not said, None if nonsense."""
    said = [word.casefold() for word in words]
    if "page" not in said:
        return words, 1
    at = said.index("page")
    return words[:at], _number(words[at + 1]) if len(words) == at + 2 else None


def _app(word: str) -> AppEnv | None:
    try:
        return AppEnv.parse(word)
    except ValueError:
        return None


def _number(word: str) -> int | None:
    found = _NUMBER.fullmatch(word)
    return int(found[1]) if found else None


def _is_version(word: str) -> bool:
    said = word.casefold()
    return said in _LIVE_WORDS or _number(word) is not None or is_tag(said)


def _version(word: str) -> int | str | None:
    """A number, a tag, or None for what is live."""
    said = word.casefold()
    return None if said in _LIVE_WORDS else _number(word) or said


def _form(verb: str, app: str, rest: Sequence[str] = ()) -> str:
    """How *verb* is asked, with what was right of the words that were said."""
    form = _FORMS[verb].replace(ANY_APP, app or ANY_APP)
    if verb in ("to", "dry-run") and len(rest) == 1 and (number := _number(rest[0])):
        return form.replace("VERSION", str(number))
    return form


def _nonsense(text: str, name: str) -> BadCommand:
    if _app(name) is not None:
        return BadCommand(text, nearest=_form("to", name), app=name)
    near = get_close_matches(name.casefold(), _FORMS, n=1, cutoff=0.5)
    _, *words = text.split()
    app = words[0] if words and _app(words[0]) else ""
    return BadCommand(text, nearest=_form(near[0], app, words[1:]) if near else "", app=app)
