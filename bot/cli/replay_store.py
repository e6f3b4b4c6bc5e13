"""`keyturn replay --from-store`: what people made of the suggestions that this store remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.cli.progress import progress
from bot.cli.running import run
from bot.cli.telling import remark, say_json, screen

if TYPE_CHECKING:
    from rich.table import Table

    from bot.domain.verdict.decide import Decision
    from bot.domain.verdict.feedback import Answered, Tally
    from bot.domain.verdict.score import Count
    from bot.services.looking.looking_back import Again
    from bot.services.opening.rules import Rules
    from store.records import Json, Version

_REASON = 200  # characters of one
_WIDE = 110  # columns that the table needs


@dataclass(frozen=True)
class Told:
    """Everything that is told of the time from `since` on."""

    since: datetime
    again: Sequence[Again]

    @property
    def answers(self) -> list[Answered]:
        return [one.past.answered for one in self.again]

    def groups(self) -> Iterator[tuple[str, Mapping[str, Tally]]]:
        """The counts by app, and by the alert that each case began with."""
        from bot.domain.verdict.feedback import tallies

        yield "by_app", tallies(self.answers, lambda one: str(one.where))
        yield "by_alert", tallies(self.answers, lambda one: one.alert)


def from_store(*, since: timedelta, as_json: bool) -> None:
    """Tell what became of the suggestions of the time that *since* goes back."""
    from bot import log
    from bot.cli.database import existing_database
    from bot.config.load import from_process
    from bot.opening import rules_of

    log.configure(level="ERROR")
    told = run(_read(existing_database(), rules_of(from_process()), since))
    if as_json:
        say_json(_as_json(told))
    elif not told.again:
        remark(f"since {told.since:%Y-%m-%d} nothing was suggested that people have answered")
    else:
        _show(told)


async def _read(url: str, rules: Rules, since: timedelta) -> Told:
    from bot.opening import opened
    from bot.services.looking.looking_back import LookingBack

    async with opened(url) as store:
        async with store.read() as tx:
            began = await tx.now() - since
        looking = LookingBack(store, rules)
        past = await looking.past(since=began)
        again: list[Again] = []
        with progress("Deciding", len(past)) as advance:
            for one in past:
                again.append(await looking.decide_again(one))
                advance(len(again), str(one.case.where))
        return Told(began, again)


# -- As JSON ------------------------------------------------------------------------------------


def _as_json(told: Told) -> Json:
    from bot.domain.verdict.feedback import tally

    decided = [one for one in told.again if one.decision is not None]
    return {
        "since": told.since.isoformat(),
        **_counted(tally(told.answers)),
        **{
            name: {key: _counted(one) for key, one in group.items()}
            for name, group in told.groups()
        },
        "reasons": [
            {
                "app": str(one.where),
                "alert": one.alert,
                "at": one.at.isoformat(),
                "reason": one.reason,
            }
            for one in _rejections(told)
        ],
        "today": {
            "measured": False,  # what was measured is not stored
            "decided": len(decided),
            "otherwise": sum(one.otherwise for one in decided),
            "cases": [_case(one) for one in told.again],
        },
    }


def _counted(tally: Tally) -> dict[str, Json]:
    from bot.domain.verdict.feedback import Answer

    accepted = tally.accepted
    return {
        **{answer.value: tally.of[answer] for answer in Answer},
        "share": None if accepted.share is None else round(accepted.share, 4),
        "interval": None if accepted.interval is None else [round(x, 4) for x in accepted.interval],
    }


def _case(one: Again) -> Json:
    past, decision = one.past, one.decision
    return {
        "case": past.case.id,
        "app": str(past.case.where),
        "alert": past.answered.alert,
        "at": past.answered.at.isoformat(),
        "answer": past.answered.answer.value,
        "suggested": _version(past.suggested),
        "picked": _version(past.picked),
        "today": _today(decision),
        "verdict": None if decision is None else decision.verdict.value,
        "otherwise": one.otherwise,
    }


def _version(version: Version | None) -> str | None:
    return None if version is None else f"{version.where} v{version.number}"


def _today(decision: Decision | None) -> str | None:
    found = None if decision is None else decision.suggested
    return None if found is None else f"{found.where} v{found.number}"


def _rejections(told: Told) -> list[Answered]:
    from bot.domain.verdict.feedback import Answer

    return [one for one in told.answers if one.answer is Answer.REJECTED]


# -- For people ---------------------------------------------------------------------------------


def _show(told: Told) -> None:
    from bot.domain.verdict.feedback import tally
    from bot.textsafe import one_line

    console = screen()
    named = [("all", tally(told.answers))]
    for _, group in told.groups():
        for name, one in group.items():
            named.append((one_line(name, 120) or "(another app's alert)", one))
    console.print(f"since {told.since:%Y-%m-%d}")
    if console.width < _WIDE:
        for name, one in named:
            console.print(f"{name}\n  {_in_words(one)}")
    else:
        console.print(_table(named))
    for rejected in _rejections(told):
        why = one_line(rejected.reason, _REASON)
        console.print(f"{rejected.at:%Y-%m-%d %H:%M} {rejected.where} rejected: {why}")
    _show_today(told)


def _table(named: Sequence[tuple[str, Tally]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from bot.domain.verdict.feedback import Answer

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("of")
    for answer in Answer:
        table.add_column(answer.value.replace("_", " "), justify="right")
    table.add_column("share accepted", justify="right")
    table.add_column("95 %")
    for name, one in named:
        counts = (str(one.of[answer]) for answer in Answer)
        table.add_row(Text(name), *counts, *shares(one.accepted))
    return table


def _in_words(tally: Tally) -> str:
    """What a row of the table has, where that is too wide; what is none is left out."""
    from bot.domain.verdict.feedback import Answer

    share, interval = shares(tally.accepted)
    told = [f"{tally.of[one]} {one.value.replace('_', ' ')}" for one in Answer if tally.of[one]]
    return f"{', '.join(told) or 'none'}; share accepted {share} ({interval})"


def shares(count: Count) -> tuple[str, str]:
    """A share and its interval, as people read them."""
    interval = count.interval
    if interval is None:
        return "–", "nothing to count"
    low, high = interval
    return f"{count.right}/{count.all}", f"{100 * low:.0f} to {100 * high:.0f} %"


def _show_today(told: Told) -> None:
    console = screen()
    decided = [one for one in told.again if one.decision is not None]
    changed = [one for one in decided if one.otherwise]
    console.print(
        f"\nDecided again by today's rules, from versions and alerts alone (what was measured is "
        f"not stored): {len(changed)} of {len(decided)} otherwise."
    )
    for one in changed:
        then = _version(one.past.suggested) or "nothing"
        verdict = one.decision.verdict if one.decision is not None else ""
        now = _today(one.decision) or f"nothing ({verdict})"
        console.print(f"case {one.past.case.id} {one.past.case.where}: {then} then, {now} today")
